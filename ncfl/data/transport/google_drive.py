"""Files on Google Drive, which answers with pages where a plain server answers with files: left to gdown."""

import glob
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ncfl.common.errors import InputError
from ncfl.common.files import writing
from ncfl.common.progress import Progress
from ncfl.data.transport.transfer import MB, Unavailable, is_page

HOSTS = ("drive.google.com", "docs.google.com", "drive.usercontent.google.com")


def is_google_drive(address: str) -> bool:
    """Whether an address is one of Google Drive's."""
    return urlsplit(address).hostname in HOSTS


def fetch(
    address: str,
    path: Path,
    *,
    name: str,
    total: int | None,
    verified: bool,
    attempts: int,
    timeout: tuple[float, float],
) -> None:
    """Download a file that anyone may read.

    Args:
        address: of a file, or of a folder that holds a file called ``name``.
        path: where to put it.
        name: the file's name.
        total: its bytes; None where unknown.
        verified: whether a checksum will tell if parts fit together; without one, none of an earlier run is used.
        attempts: how often to try.
        timeout: seconds to wait for a connection, and for the next bytes.

    Raises:
        Unavailable: Google Drive does not give it: gone, not public, or asked for too often.
        InputError: gdown is not installed, or no space.
    """
    try:
        import gdown
    except ImportError:
        raise InputError(f"{address}: files on Google Drive need gdown; install it (pip install gdown)") from None
    import requests

    path.unlink(missing_ok=True)
    _drop_parts(path, keep=1 if verified else 0)
    bar = Progress(total and -(-total // MB), name, unit="MB")
    try:
        with bar, writing(path):
            gdown.download(
                **_which(address, name, timeout),
                output=str(path),
                quiet=True,
                resume=verified,
                progress=lambda done, _: bar.update(done // MB),
                timeout=timeout,
                retries=attempts - 1,
            )
    except (gdown.DownloadError, requests.RequestException) as error:
        raise Unavailable(_in_brief(error)) from error
    with path.open("rb") as file:
        if is_page(file.read(512)):
            path.unlink()
            raise Unavailable("Google Drive gives a web page in place of the file")


def _which(address: str, name: str, timeout: tuple[float, float]) -> dict[str, str]:
    """The file as gdown wants it named."""
    import gdown

    parts = urlsplit(address)
    if "/folders/" in parts.path:
        listed = gdown.download_folder(url=address, skip_download=True, quiet=True, timeout=timeout)
        found = [file.id for file in listed if Path(file.path).name == name]
        if len(found) != 1:
            names = ", ".join(file.path for file in listed[:5]) or "nothing"
            raise Unavailable(f"the folder holds {len(found)} files called {name}; it lists {names}")
        return {"id": found[0]}
    ids = parse_qs(parts.query).get("id")
    return {"id": ids[0]} if ids else {"url": address}


def _drop_parts(path: Path, keep: int) -> None:
    """Remove what earlier runs left half done: gdown names it with eight random characters, and resumes only one."""
    parts = sorted(path.parent.glob(f"{glob.escape(path.name)}????????.part"), key=lambda part: part.stat().st_size)
    for part in parts[: len(parts) - keep]:
        part.unlink()


def _in_brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "Too many users" in text or "quota" in text.lower():
        return "Google Drive's limit of downloads is used up for this file: try in a day, or signed in with a browser"
    if "Cannot retrieve the public link" in text:
        return "Google Drive does not give it: it is not public, or it was asked for too often; try with a browser"
    return f"Google Drive does not give it ({text[:200]})"
