"""What the blocks of ``params.yaml`` have in common: that they are closed, and kinds of values that several take."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Sigma = Annotated[float, Field(ge=0.0, le=255.0)]


def _rising(values: list[float]) -> list[float]:
    if values[0] > values[1]:
        raise ValueError(f"expected [low, high] with the lower one first, got {values}")
    return values


SigmaRange = Annotated[list[Sigma], Field(min_length=2, max_length=2), AfterValidator(_rising)]
Widths = Annotated[list[Positive], Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Block(BaseModel):
    """A closed, immutable block of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
