"""The networks of the ablation: the paper's parts put one after another onto a CFBI baseline."""

from __future__ import annotations

from dataclasses import replace

from camn.config.model import DecoderStep, Ensembler, ModelConfig, Scale, Stage

# What each network adds to the one before it, and is called by: BASE-PART, such as camn-mobile-fpn.
PARTS = ("baseline", "fpn", "pan", "context", "multiply", "prior")


def with_parts(whole: ModelConfig, single: ModelConfig, part: str) -> ModelConfig:
    """The network of `whole`'s width that has all parts up to `part`.

    baseline: `single`, CFBI of that width. fpn: its pyramid and matching at several scales (CFBI+), ending in an ASPP.
    pan: path aggregation, and feature pyramid attention in the ASPP's place. context: object context. multiply, prior:
    the space-time memory, foreground and background parted by scheme (a) or (b). All have `edges`, which are ours,
    if the whole network has them.
    """
    reached = PARTS.index(part)
    name = f"{whole.name}-{part}"
    if part == "baseline":
        return replace(single, name=name)
    assert whole.memory is not None
    return replace(
        whole,
        name=name,
        ensembler=replace(whole.ensembler, high_level="fpa" if reached >= PARTS.index("pan") else "aspp"),
        path_aggregation=reached >= PARTS.index("pan"),
        context=whole.context if reached >= PARTS.index("context") else "none",
        memory=replace(whole.memory, separation=part) if part in ("multiply", "prior") else None,
    )


def slim_cfbi(whole: ModelConfig) -> ModelConfig:
    """CFBI as slim as camn-mobile: one embedding of stride 4 over a DeepLabV3+, an ensembler from there down."""
    return replace(
        whole,
        scales=(Scale(4, 64, 32, (2, 4, 8), global_stride=2),),
        ensembler=Ensembler(
            stages=(Stage(4, 64, (1, 2)), Stage(8, 128, (1, 2)), Stage(16, 192, (1, 2, 4))),
            decoder=(DecoderStep(4, 16, (32,)),),
            high_level="aspp",
            high_level_width=96,
            pre_head=32,
            background_channel=False,
            upsample="bilinear",
            edges=whole.ensembler.edges,
        ),
        deeplab=64,
        context="none",
        pyramid="single",
        path_aggregation=False,
        matching=replace(whole.matching, half_size_windows=True),
        memory=None,
    )
