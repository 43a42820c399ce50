"""The blocks of ``params.yaml`` that say what is trained and how."""

from typing import Annotated, Literal

from pydantic import Field

from ncfl.config.values import Block, Fraction, Positive, Share, Sigma, SigmaRange


class Model(Block):
    """Widths of the network, in channels. The published ones stand in presets/paper.yaml."""

    unet_widths: Annotated[list[Positive], Field(min_length=5, max_length=5)] = Field(
        description="The widths of the restoration module at its five scales."
    )
    feature_width: Positive = Field(description="The width of the propagated features c_t.")
    mv_width: Positive = Field(description="The width of the motion vector refinement.")
    latent_width: Positive = Field(description="The width of the latent codes e_t.")
    attention_widths: Annotated[list[Positive], Field(min_length=3, max_length=3)] = Field(
        description="The widths of the feature attention at its three scales."
    )
    attention_blocks: Positive = Field(description="The number of ResBlocks of the feature attention at each scale.")
    prior: Literal["laplace", "gaussian"] = Field(
        description="The distribution that the latent codes are assumed to have."
    )
    step_gradient: Literal["symbols", "rounding"] = Field(
        description="What quantization steps learn from: the symbols, as if these stayed, or the rounding errors."
    )


class Motion(Block):
    """SPyNet and its pretraining on synthetic motion with exact flow."""

    levels: Annotated[int, Field(ge=1, le=6)] = Field(description="The number of pyramid levels.")
    width: Annotated[float, Field(gt=0.0, le=4.0)] = Field(
        description="The number of channels relative to the published number."
    )
    weights: str | None = Field(
        description="A file of weights, shipped or your own; with null, motion estimation is pretrained here."
    )
    iterations: Positive = Field(description="The number of iterations of the pretraining.")
    batch: Positive = Field(description="The number of pairs of frames per iteration.")
    patch: Annotated[int, Field(ge=16)] = Field(description="The height and width of a pair, in pixels.")
    learning_rate: Fraction = Field(description="The learning rate at the start, from which a cosine falls to zero.")
    max_motion: Fraction = Field(description="The greatest motion, in pixels per frame.")
    sigma: SigmaRange = Field(
        description="The range, within 0..255, from which the noise level of both frames is drawn."
    )


class Training(Block):
    """What all trainings share."""

    start: str | None = Field(
        default=None,
        description="A file of weights that NCFL's networks begin from; null lets them begin from nothing.",
    )
    learning_rate: Fraction = Field(
        description="The learning rate at the start, of all weights but those of motion estimation."
    )
    motion_learning_rate: Fraction = Field(description="The learning rate of motion estimation at the start.")
    warmup: Annotated[int, Field(ge=0)] = Field(
        description="The number of iterations in which the learning rates rise to their start."
    )
    freeze_motion: Annotated[int, Field(ge=0)] = Field(
        description="The number of iterations in which motion estimation is not trained."
    )
    minimum_learning_rate: Annotated[float, Field(ge=0.0)] = Field(
        description="The learning rate at which the cosine ends."
    )
    cosine: Literal["whole", "per-stage"] = Field(
        description="Whether one cosine goes over both stages, or each stage has its own."
    )
    weight_decay: Annotated[float, Field(ge=0.0)] = Field(description="The weight decay of AdamW.")
    betas: Annotated[list[Annotated[float, Field(ge=0.0, lt=1.0)]], Field(min_length=2, max_length=2)] = Field(
        description="The decay rates of both moments of AdamW."
    )
    batch: Positive = Field(description="The number of clips per iteration.")
    frames: Annotated[int, Field(ge=1)] = Field(description="The number of frames of each clip.")
    gradient_clip: Fraction | None = Field(description="The greatest norm of the gradients; null does not clip them.")
    precision: Literal["float32", "bfloat16", "float16", "auto"] = Field(
        description="The number format that the forward pass computes in; auto: bfloat16 on a GPU or a processor (AMX) "
        "made for it, else float32."
    )
    threads: Positive = Field(
        description="The number of processor threads of a step; results depend on it by rounding."
    )
    log_every: Positive = Field(description="The number of iterations between two points of the curves.")
    accumulate: Positive = Field(
        default=1,
        description="The number of parts in which a batch goes through the network, which saves memory.",
    )
    checkpoint_activations: bool = Field(
        default=False,
        description="Whether frames are computed again in the backward pass, which saves memory and takes time.",
    )
    rate_ramp: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="The number of iterations over which the weight of the rate term rises to lambda.",
    )
    clipped: Share = Field(
        default=0.0, description="The share of clips whose noise is clipped and rounded to 8 bits, as in files."
    )
    gray: Share = Field(
        default=0.0, description="The share of clips that are made gray, with the same noise in all three channels."
    )
    cuts: Share = Field(
        default=0.0, description="The share of clips in which another clip follows from some frame on, as after a cut."
    )
    speeds: Annotated[list[Positive], Field(min_length=1)] = Field(
        default=[1],
        description="The steps from one frame to the next, one of which is drawn per clip; [1] keeps all frames.",
    )
    camera: Share = Field(
        default=0.0,
        description="The share of clips with the noise of a camera: of a mosaic's light, developed and compressed.",
    )


class Schedule(Block):
    """How long a dataset is trained on, and on how large patches."""

    stage1: Annotated[int, Field(ge=0)] = Field(
        description="The number of iterations that minimize L2 + lambda * L_CE."
    )
    stage2: Annotated[int, Field(ge=0)] = Field(description="The number of iterations that minimize L2 alone.")
    patch: Annotated[int, Field(ge=16)] = Field(description="The height and width of the patches, in pixels.")


class TrainSpec(Block):
    """What is trained in one experiment."""

    variant: Literal["m_a", "m_b", "m_c", "m_d", "m_e", "m_f", "w_net", "ncfl_adapq", "ncfl_noq"]
    inverse_lambda: Positive | None = Field(description="The inverse of lambda; with null, stage 1 has no rate term.")
    sigma: Sigma | SigmaRange | None = Field(
        description="The noise level, within 0..255: a range to draw from, one value, or null for clean frames."
    )
    learning_rate: Fraction | None = Field(
        default=None, description="The learning rate at the start, in place of training.learning_rate."
    )
    iterations: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="The iterations of stage 1 and stage 2, in place of the dataset's schedule."
    )


class ComparedTrainSpec(Block):
    """How a compared method is trained: as NCFL is on the same data, but for what stands here."""

    sigma: Sigma | SigmaRange | None = Field(description="The noise level in training, as in the other experiments.")
    iterations: Positive | None = Field(
        description="The number of iterations; null takes those of both stages of the dataset's schedule."
    )
    frames: Positive | None = Field(
        description="The number of frames of each clip, at least the method's window; null takes that of `training`."
    )
    learning_rate: Fraction | None = Field(description="The learning rate at the start; null takes that of `training`.")
    settle_at: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="The iteration from which batch normalization's statistics rest; from 0 on at mean 0, variance 1.",
    )
    start: str | None = Field(
        default=None,
        description="A file of weights that its network begins from; with null, `passing` says how it begins.",
    )
    passing: bool = Field(
        default=False,
        description="Whether the network's initial values let the frame pass; false takes the values of its authors.",
    )
