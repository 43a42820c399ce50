"""Why a result may be believed: what made each file, whether it is still that file, and one run at a time."""
