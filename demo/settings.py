"""The settings of the page, and the decoding options that they stand for."""

from __future__ import annotations

from typing import Any

import gradio as gr

STRATEGIES = {
    "Beam search": "beam",
    "Diverse beams": "diverse",
    "Greedy": "greedy",
    "Sampling": "sample",
}
# Which strategies a setting belongs to; it is hidden for the others.
SETTINGS = (
    "strategy",
    "max_words",
    "beam_width",
    "temperature",
    "top_p",
    "neutral",
    "required_words",
    "forbidden_words",
)
BEAMS, SAMPLES, REQUIRING = ("beam", "diverse"), ("sample",), ("beam", "greedy")
MOST_LETTERS = 200  # of words that are asked for or left out
TOP_P = 0.9  # of samples: without it one unlikely word in a sentence spoils the rest


def decoding_options(
    strategy: str,
    beam_width: float,
    max_words: float,
    temperature: float,
    neutral: bool = False,
    required: str = "",
    forbidden: str = "",
    longest: int | None = None,
) -> dict[str, Any]:
    """Fields of `DecodingOptions`, without those that do not belong to the strategy.

    Args:
        strategy, beam_width, max_words, temperature, neutral, required, forbidden: values of the controls of
            `settings`.
        longest: what `settings` was built with; a caption as long as that is no choice of its own.
    """
    options: dict[str, Any] = {"strategy": strategy}
    if max_words != longest:
        options["max_words"] = max_words
    if strategy in BEAMS:
        options["beam_width"] = beam_width
    if strategy in SAMPLES:
        options |= {"temperature": temperature, "top_p": TOP_P}
    if neutral:
        options["neutral"] = True
    if required and required.strip() and strategy in REQUIRING:
        options["required_words"] = required.lower()
    if forbidden and forbidden.strip():
        options["forbidden_words"] = forbidden.lower()
    return options


def settings(longest: int) -> list[gr.components.Component]:
    """The controls, in the order in which `decoding_options` takes their values.

    Args:
        longest: longest caption of the model that the page starts with, in words.
    """
    strategy = gr.Radio(
        list(STRATEGIES.items()), value="beam", label="How words are chosen", elem_id="strategy", elem_classes="plain"
    )
    hint = "Captions kept in mind while searching for the best"
    beam_width = gr.Slider(1, 10, value=5, step=1, label="Beam width", info=hint, elem_id="beam-width", buttons=[])
    hint = "Below 1 the likely words get likelier, above 1 the unlikely ones"
    temperature = gr.Slider(
        0.1, 2, value=0.7, step=0.1, label="Temperature", info=hint, elem_id="temperature", visible=False, buttons=[]
    )
    max_words = gr.Slider(
        1, longest, value=longest, step=1, label="Longest caption, in words", elem_id="max-words", buttons=[]
    )
    hint = "Person, child and people instead of man, woman, boy and girl"
    neutral = gr.Checkbox(label="Neutral words", info=hint, elem_id="neutral")
    text = {"value": "", "max_length": MOST_LETTERS, "max_lines": 1}
    hint = "Words that the caption must hold; of dog|puppy one is enough"
    required = gr.Textbox(label="With these words", info=hint, elem_id="required-words", **text)
    forbidden = gr.Textbox(label="Without these words", elem_id="forbidden-words", **text)
    strategy.change(
        lambda chosen: [gr.update(visible=chosen in of) for of in (BEAMS, SAMPLES, REQUIRING)],
        inputs=strategy,
        outputs=[beam_width, temperature, required],
        api_visibility="private",
        queue=False,
        show_progress="hidden",
    )
    return [strategy, beam_width, max_words, temperature, neutral, required, forbidden]
