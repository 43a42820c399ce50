"""The data of ``params.yaml``: where each dataset's clips come from."""

from typing import Annotated, Literal

from pydantic import Field

from ncfl.config.values import Block, Fraction, Positive


class DemoData(Block):
    """Videos made from photographs that ship with dependencies."""

    source: Literal["demo"]
    height: Annotated[int, Field(ge=16)] = Field(description="The height of the frames, in pixels.")
    width: Annotated[int, Field(ge=16)] = Field(description="The width of the frames, in pixels.")
    train: Annotated[int, Field(ge=0)] = Field(description="The number of clips to train on.")
    test: Annotated[int, Field(ge=0)] = Field(description="The number of clips to evaluate on.")
    frames: Annotated[int, Field(ge=2)] = Field(description="The number of frames of each clip.")
    max_motion: Fraction = Field(
        description="The greatest motion of a layer, in pixels per frame; every second clip moves a quarter as fast."
    )

    @property
    def stand_in(self) -> bool:
        """Always true: embedded data never are the dataset whose name they bear."""
        return True

    @property
    def part(self) -> None:
        """Never one: only of what is published a part can be there."""


class ClipsData(Block):
    """Videos from a folder of the user's: video files, frame folders, or DAVIS's own layout."""

    source: Literal["clips"]
    root: str = Field(description="The path of the folder, absolute or relative to params.yaml.")
    train: Literal["rest"] | list[str] = Field(
        description="The names of the clips to train on, or `rest` for all that are not under test."
    )
    test: list[str] = Field(description="The names of the clips to evaluate on.")
    max_frames: Positive | None = Field(description="The number of frames that are taken of each clip; null takes all.")
    height: Annotated[int, Field(ge=16)] | None = Field(
        description="The height in pixels that frames are reduced to; null keeps them as they are."
    )
    stand_in: bool = Field(description="Whether the folder holds something other than the dataset of this name.")

    @property
    def part(self) -> None:
        """Never one: only of what is published a part can be there."""


class PublishedData(Block):
    """The dataset itself, as its authors publish it; see docs/datasets.md."""

    source: Literal["published"]
    max_frames: Positive | None = Field(
        description="The number of frames that are taken from the start of each clip; null takes all."
    )
    part: Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None, description="The sequences that suffice where you have no others; null takes all of the dataset."
    )

    @property
    def stand_in(self) -> bool:
        """Never: it is the dataset whose name it bears."""
        return False


Dataset = Annotated[DemoData | ClipsData | PublishedData, Field(discriminator="source")]
