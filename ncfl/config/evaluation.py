"""The blocks of ``params.yaml`` that say what is measured and how."""

from typing import Annotated, Literal

from pydantic import Field

from ncfl.config.values import Block, Fraction, Name, Positive, Sigma


class EvaluateSpec(Block):
    """What is measured on one dataset."""

    sigma: Annotated[list[Sigma], Field(min_length=1)] = Field(
        description="The noise levels, within 0..255; 0 adds no noise."
    )
    split: Literal["train", "test"] = "test"


class Example(Block):
    """A frame that is kept as a picture."""

    sequence: Annotated[int, Field(ge=0)] = Field(description="The index of the clip in its split, from 0.")
    frame: Annotated[int, Field(ge=0)]
    sigma: Sigma


Row = Annotated[list[float], Field(min_length=3, max_length=3)]


class ISP(Block):
    """How packed raw frames become sRGB, for measuring and for pictures."""

    gains: Annotated[list[Fraction], Field(min_length=3, max_length=3)] = Field(
        description="The white balance of the built-in one: factors of red, green and blue."
    )
    matrix: Annotated[list[Row], Field(min_length=3, max_length=3)] | None = Field(
        description="The matrix of the built-in one from camera RGB to linear sRGB, 3 x 3, row by row; null has none."
    )
    plugin: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")] | None = Field(
        description="The `package.module:function` in its place, from float32 [h,w,4] to [2h,2w,3], both within 0..1."
    )


class Evaluation(Block):
    """Conventions of measuring."""

    max_frames: dict[Name, Positive] = Field(
        description="The greatest number of frames of a sequence, by dataset; of other datasets all frames are taken."
    )
    threads: Positive = Field(description="The number of processor threads of a step.")
    isp: ISP = Field(description="How raw video is developed.")
    examples: dict[Name, Example] = Field(description="The frame that is kept for figures, by dataset.")
