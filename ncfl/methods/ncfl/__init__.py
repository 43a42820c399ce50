"""The method of this project. Its networks are :mod:`ncfl.models.variants`; experiments of it train in two stages."""

from ncfl.methods.record import MethodRecord

METHOD = MethodRecord(name="ncfl", title="NCFL", shape="recurrent")
