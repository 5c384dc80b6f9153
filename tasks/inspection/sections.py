"""The sections of a report: each analysis with its figures, its numbers and how to read them."""

import html
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from seqzoo.tasks.inspection import figures
from seqzoo.tasks.inspection.attention import attention_map, has_attention
from seqzoo.tasks.inspection.attribution import (
    INTEGRATED,
    Attribution,
    copies,
    encoders_of,
    integrated_gradients,
    occlusion,
)
from seqzoo.tasks.inspection.fixed_points import fixed_points as find_fixed_points
from seqzoo.tasks.inspection.gates import gate_values, memory_lengths
from seqzoo.tasks.inspection.gradients import EXPLODED, VANISHED, gradient_flow
from seqzoo.tasks.inspection.jacobians import jacobian_flow
from seqzoo.tasks.inspection.layers import recurrent_layers
from seqzoo.tasks.inspection.recurrent_weights import logged_radii, recurrent_spectra
from seqzoo.tasks.inspection.states import EVENTS, rank_units, similar_states
from seqzoo.tasks.inspection.subject import Part, Subject, visible
from seqzoo.tasks.inspection.tables import crf_transitions, embedding_of, neighbours
from seqzoo.tasks.inspection.trace import LayerTrace, Trace
from seqzoo.tasks.kinds import TEXTS

STARTS = 8
"""Number of states that the search for fixed points begins from."""

JACOBIAN_STEPS = 60
"""Maximum number of steps back over which products of Jacobians are computed."""

MAX_STATE_SIZE = 512
"""Maximum size of the state for which Jacobians are computed."""

REACTING = 4
"""Maximum number of units that are drawn, and of those that are listed for each event."""

SIMILAR = 8
"""Maximum number of steps with similar states that are listed."""

TOKENS = 8
"""Maximum number of tokens whose neighbours are listed."""


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        name: the name of the analysis; its files and its numbers are named after it.
        title: the heading.
        text: an explanation and tables, in HTML.
        figures: the figures, by name.
        data: the numbers, JSON-serialisable.
    """

    name: str
    title: str
    text: str
    figures: dict[str, Figure] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Inspection:
    """An inspected model and its inputs.

    Attributes:
        run: the `Run`.
        subjects: one per input; the first one is shown in detail.
        traces: a trace for each input, with the loss of the chosen step of the prediction.
        step: the chosen step of the prediction; None for the default of each analysis.
        searched: further inputs with their traces, searched for similar states.
        reference: the step of the first input whose state is searched for; None for the middle, as
            in layers that do not read it.
    """

    run: Any
    subjects: tuple[Subject, ...]
    traces: tuple[Trace, ...]
    step: int | None = None
    searched: tuple[tuple[Subject, Trace], ...] = ()
    reference: int | None = None

    def layers(self, index: int = 0) -> list[LayerTrace]:
        """The layers that read an input or generate a text step by step; not those that read the
        characters of words."""
        return layers_of(self.traces[index])


def layers_of(traced: Trace) -> list[LayerTrace]:
    """The layers of a trace that read an input or generate a text step by step; not those that read
    the characters of words."""
    return [layer for layer in traced.layers if layer.inputs.shape[0] == 1]


def labels_of(subject: Subject, layer_trace: LayerTrace) -> tuple[str, ...]:
    """A name for each step that a layer ran, in the order of the input."""
    if layer_trace.name.startswith("decoder") and subject.whole:
        return ("(start)", *subject.steps[:-1])[: layer_trace.steps]
    if layer_trace.steps == len(subject.segments):
        return subject.segments
    for part in parts_read(subject, layer_trace):
        if layer_trace.steps == len(part.labels):
            return part.labels
    return tuple(str(step) for step in range(layer_trace.steps))


def step_of(subject: Subject, layer_trace: LayerTrace, reference: int | None) -> int | None:
    """The step of a layer that reads a step of the first input, such as the segment that it is in;
    None if the layer reads something else, or `reference` is None."""
    if reference is None or (layer_trace.name.startswith("decoder") and subject.whole):
        return None
    if layer_trace.steps == len(subject.segments):
        return sum(subject.labels.index(name) <= reference for name in subject.segments) - 1
    return None if parts_read(subject, layer_trace)[0].number else reference


def parts_read(subject: Subject, layer_trace: LayerTrace) -> list[Part]:
    """The inputs that a layer may have read: one, unless two inputs are compared, whose layers run
    once for each."""
    inner = {
        network.name: any(
            layer is layer_trace.layer for layer in recurrent_layers(network).values()
        )
        for network in encoders_of(subject).values()
    }
    parts = [part for part in subject.parts if inner.get(part.encoder)]
    if not parts:
        parts = [part for part in subject.parts if part.encoder not in inner]
    return parts[::-1] if layer_trace.name.endswith(", call 2") else parts


def attribution(inspection: Inspection) -> list[Section]:
    """Integrated gradients and occlusion of the prediction for each input."""
    unit = "region" if inspection.subjects[0].inputs["values"].shape.rank >= 4 else "step"
    text = [
        "<p>Red supports the answer, blue opposes it, as measured by integrated gradients, whose "
        "values sum to the difference between the scores with and without the input, and by "
        f"occlusion of one {unit} at a time.</p>"
    ]
    shown, data = {}, []
    for index, subject in enumerate(inspection.subjects):
        step = None if index else inspection.step  # other inputs may have fewer steps
        methods = [occlusion] if copies(subject) else [integrated_gradients, occlusion]
        results = [method(subject, step) for method in methods]
        answer = subject.answer if step is None else subject.steps[step]
        if not subject.whole and step is None:
            answer = subject.steps[-1]
        title = visible([answer])[0] if answer else "(nothing)"
        text.append(f"<h3>{html.escape(title)}</h3>")
        for item in results:
            method = item.method.replace(" ", "-")
            if item.values.ndim == 2:
                image = np.asarray(subject.inputs["values"])[0, 0]
                name = f"attribution-{index + 1}-{method}"
                shown[name] = figures.image_attribution_figure(image, item.values, item.method)
            else:
                coloured_parts = [part for part in subject.parts if is_coloured(part)]
                if coloured_parts:
                    lines = "<br>".join(coloured(part, item) for part in coloured_parts)
                    text.append(f"<p><small>{item.method}</small><br>{lines}</p>")
                for part in subject.parts:
                    if not is_coloured(part):
                        name = f"attribution-{index + 1}-{method}{part.suffix.replace('_', '-')}"
                        title = f"{part.name}, {item.method}" if part.name else item.method
                        shown[name] = figures.attribution_figure(
                            item.values[part.steps], part.labels, title
                        )
            data.append(
                {
                    "input": index,
                    "answer": answer,
                    "method": item.method,
                    "values": item.values.tolist(),
                    "score": item.score,
                    "baseline": item.baseline,
                    "convergence_delta": (
                        item.convergence_delta if item.method == INTEGRATED else None
                    ),
                }
            )
        text.append(
            f"<p><small>{subject.measure} {results[0].score:.4g}, without any input "
            f"{results[0].baseline:.4g}"
        )
        if results[0].method == INTEGRATED:
            text.append(
                "; the integrated gradients add up to the difference to within "
                f"{abs(results[0].convergence_delta):.1g}"
            )
        text.append(".</small></p>")
    return [Section("attribution", "What the answer rests on", "".join(text), shown, {"all": data})]


def is_coloured(part: Part) -> bool:
    """Whether the attribution of an input is shown by colours: that of texts and single values."""
    return part.kind in TEXTS or (bool(part.name) and len(part.labels) == 1)


def coloured(part: Part, attribution: Attribution) -> str:
    """An input's tokens in HTML, on backgrounds coloured by their contributions to the prediction;
    the colour is strongest for the largest contribution of any input."""
    limit = float(np.abs(attribution.values).max()) or 1.0
    gap = "" if part.kind == "characters" else " "
    parts = []
    for label, value in zip(visible(part.labels), attribution.values[part.steps], strict=True):
        strength = abs(value) / limit
        colour = "209,96,61" if value > 0 else "72,120,168"
        parts.append(
            f'<span class="token" style="background:rgba({colour},{strength:.2f})" '
            f'title="{value:.3g}">{html.escape(label)}</span>'
        )
        if label == "↵":
            parts.append("<br>")
    name = f"<small>{html.escape(part.name)}</small> " if part.name else ""
    return f'{name}<span class="tokens">{gap.join(parts)}</span>'


def gradients(inspection: Inspection) -> list[Section]:
    """Gradients through time and products of Jacobians of the first input."""
    subject, traced = inspection.subjects[0], inspection.traces[0]
    names = {layer.name for layer in inspection.layers()}
    flows = [item for item in gradient_flow(traced) if len(item.norms) > 1 and item.name in names]
    if not flows:
        return []
    jacobians = []
    for layer in inspection.layers():
        flow = next((item for item in flows if item.name == layer.name), None)
        if flow is None or layer.state().shape[1] > MAX_STATE_SIZE:
            continue
        first = int(flow.positions[0])
        jacobians.append(_recent_jacobians(layer, first))
    chosen = subject.steps[subject.step(inspection.step)]
    rows = "".join(f"<tr><td>{item.name}</td><td>{item.sentence()}</td></tr>" for item in flows)
    bounds = "".join(
        f"<tr><td>{bound.name}, product of Jacobians</td><td>{bound.decay.sentence()}</td></tr>"
        for bound in jacobians
    )
    text = (
        f"<p>How strongly the loss of “<bdi>{html.escape(visible([chosen])[0])}</bdi>” depends on "
        "the state a number of steps earlier. A line that falls steeply is a vanishing gradient: "
        "nothing can be learned from what happened many steps earlier. The verdict is on the step "
        f"furthest back: vanishing if less than {VANISHED:.0%} of the gradient is left there, "
        f"exploding if it is more than {EXPLODED:.0f} times as large, and healthy otherwise, which "
        "says little if there are only a few steps."
    )
    if any(item.direct for item in flows):
        text += (
            " The loss also depends on earlier states in other ways than through the states in "
            "between, such as attention, pooling, a CRF or layers above. The verdict is on the "
            "dotted line: the part of the gradient that comes back through the layer's states."
        )
    if jacobians:
        text += (
            " The norm of the product of the Jacobians, in the lower plot, is an upper bound on "
            "the fraction of the gradient that is left along this layer's states."
        )
    text += f"</p><table>{rows}{bounds}</table>"
    data = {
        item.name: {
            "norms": item.norms.tolist(),
            "carried_norms": item.carried.tolist(),
            "positions": item.positions.tolist(),
            "half_life": _number(item.decay.half_life),
            "rate": item.decay.rate,
            "verdict": item.decay.verdict,
            "summary": item.sentence(),
        }
        for item in flows
    }
    for jacobian in jacobians:
        data[jacobian.name] |= {
            "largest_singular_values": jacobian.largest.tolist(),
            "spectral_radii": jacobian.radii.tolist(),
            "product_norms": jacobian.products.tolist(),
        }
    shown = {"gradients": figures.gradient_figure(flows, jacobians)}
    return [Section("gradients", "Gradients through time", text, shown, data)]


def _recent_jacobians(layer_trace: LayerTrace, position: int) -> Any:
    """The flow through the Jacobians of the step at a position of the input and of the steps that
    ran before it, up to `JACOBIAN_STEPS` in all."""
    last = int(np.flatnonzero(layer_trace.positions == max(position, 0))[0])
    start = max(0, last + 1 - JACOBIAN_STEPS)
    part = slice(start, last + 1)
    cut = LayerTrace(
        layer_trace.name,
        layer_trace.layer,
        layer_trace.inputs[:, part],
        tuple(state[:, start : last + 2] for state in layer_trace.states),
        None,
        layer_trace.positions[part],
    )
    return jacobian_flow(cut)


def gates(inspection: Inspection) -> list[Section]:
    """Gates of each layer over the first input."""
    subject, sections = inspection.subjects[0], []
    for layer in inspection.layers():
        result = gate_values(layer)
        if not result:
            continue
        bounded = [gate for gate in result if gate.bounded]
        memories = memory_lengths(layer)
        rows = "".join(
            f"<tr><td>{gate.name.replace('_', ' ')}</td><td>{gate.mean:.2f}</td>"
            f"<td>{gate.closed:.0%}</td><td>{gate.open:.0%}</td></tr>"
            for gate in bounded
        )
        text = (
            "<p>Units from top to bottom, steps of the input from left to right. Each gate has its "
            "units in an order of its own, those with the largest mean first. A gate near 0 is "
            "closed, near 1 open; where it is saturated at either end, it hardly learns.</p>"
        )
        if rows:
            text += (
                "<table><tr><th>gate</th><th>mean</th><th>below 0.1</th><th>above 0.9</th></tr>"
                f"{rows}</table>"
            )
        for memory in memories:
            lengths = memory.lengths
            if np.median(lengths) > 1.05 or lengths.max() > 2:
                which = f"state {memory.state + 1}" if len(memories) > 1 else "the state"
                text += (
                    f"<p>The units of {which} remember a median of {np.median(lengths):.3g} steps, "
                    f"and at most {lengths.max():.3g}.</p>"
                )
        shown = {
            f"gates-{_file(layer.name)}": figures.gate_figure(result, labels_of(subject, layer))
        }
        if bounded:
            shown[f"gate-values-{_file(layer.name)}"] = figures.gate_histogram(bounded)
        data = {
            "gates": {
                gate.name: {
                    "mean": gate.mean,
                    "below_0.1": gate.closed,
                    "above_0.9": gate.open,
                    "values": np.round(gate.values, 4).tolist(),
                }
                for gate in result
            },
            "memory_lengths": [
                [_number(value) for value in np.round(memory.lengths, 3)] for memory in memories
            ],
        }
        sections.append(Section(f"gates {layer.name}", f"Gates of {layer.name}", text, shown, data))
    return sections


def states(inspection: Inspection) -> list[Section]:
    """States over time, units that react to events, and steps with similar states."""
    sections = []
    for number, layer in enumerate(inspection.layers()):
        subject = inspection.subjects[0]
        labels = labels_of(subject, layer)
        traces = [inspection.layers(index)[number] for index in range(len(inspection.subjects))]
        names = [labels_of(*pair) for pair in zip(inspection.subjects, traces, strict=True)]
        outputs = [item.outputs() for item in traces]
        all_outputs = np.concatenate(outputs)
        data: dict[str, Any] = {"states": np.round(outputs[0], 4).tolist(), "reactions": {}}
        text = "<p>The state of each unit at each step.</p>"
        rows, drawn = [], []
        textual = layer.name.startswith("decoder") or parts_read(subject, layer)[0].kind in TEXTS
        for event, find in EVENTS.items() if textual else ():
            occurs = np.concatenate([np.asarray(find(labels), float) for labels in names])
            if len(occurs) < 3 or occurs.std() == 0:
                continue
            ranked = rank_units(all_outputs, occurs)[:REACTING]
            data["reactions"][event] = [[item.unit, item.correlation] for item in ranked]
            drawn += [item.unit for item in ranked[:1]]
            best = ", ".join(f"{item.unit} ({item.correlation:+.2f})" for item in ranked)
            rows.append(f"<tr><td>{event}</td><td>{best}</td></tr>")
        if rows:
            text += (
                "<p>The units that react most strongly to each event, with their correlations:</p>"
                f"<table>{''.join(rows)}</table>"
            )
        if len(all_outputs) > 3:
            further = [(item, layers_of(traced)[number]) for item, traced in inspection.searched]
            text += _similar_steps(
                outputs + [item.outputs() for _, item in further],
                names + [labels_of(*pair) for pair in further],
                data,
                step_of(subject, layer, inspection.reference),
            )
        units = list(dict.fromkeys(drawn))[:REACTING]
        figure = figures.state_figure(outputs[0], labels, units)
        shown = {f"states-{_file(layer.name)}": figure}
        sections.append(
            Section(f"states {layer.name}", f"States of {layer.name}", text, shown, data)
        )
    return sections


def _similar_steps(
    outputs: list[np.ndarray],
    names: list[tuple[str, ...]],
    data: dict[str, Any],
    step: int | None,
) -> str:
    """The steps whose states are most similar to that of a step for the first input, by default the
    one in the middle: HTML, and numbers that are added to `data`."""
    step = len(outputs[0]) // 2 if step is None else step
    similar = similar_states(outputs[0][step], outputs, top=SIMILAR + 1)
    similar = [item for item in similar if (item.input, item.step) != (0, step)][:SIMILAR]
    data["similar"] = {
        "step": step,
        "searched": {"inputs": len(outputs), "steps": sum(map(len, outputs))},
        "steps": [
            {
                "input": item.input,
                "step": item.step,
                "similarity": item.similarity,
                "context": list(_around(names[item.input], item.step)),
            }
            for item in similar
        ],
    }
    rows = "".join(
        f"<tr><td>{_context(names[p.input], p.step)}</td><td>{p.similarity:.2f}</td></tr>"
        for p in similar
    )
    return (
        f"<p>Steps with a state similar to that at {_context(names[0], step)}, among "
        f"{sum(map(len, outputs)):,} steps of {len(outputs):,} "
        f"input{'s' * (len(outputs) != 1)}:</p>"
        f"<table>{rows}</table>"
    )


def _context(labels: tuple[str, ...], step: int) -> str:
    """A step with the steps around it, in HTML."""
    before, label, after = map(html.escape, _around(labels, step))
    return f"<code>{before}<b>{label}</b>{after}</code>"


def _around(labels: tuple[str, ...], step: int) -> tuple[str, str, str]:
    """The labels before a step, its own, and those after it."""
    shown = visible(labels)
    gap = "" if max(map(len, shown)) == 1 else " "
    before = "".join(label + gap for label in shown[max(0, step - 8) : step])
    after = "".join(gap + label for label in shown[step + 1 : step + 4])
    return before, shown[step], after


def attention(inspection: Inspection) -> list[Section]:
    """Attention maps of all inputs."""
    if not has_attention(inspection.run.model):
        return []
    maps = [attention_map(subject) for subject in inspection.subjects]
    shown = {
        f"attention-{index + 1}": figures.attention_figure(item)
        for index, item in enumerate(maps)
        if item.weights.size  # the input or the generated text may be empty
    }
    text = (
        "<p>What the decoder attends to as it writes: the input from left to right, the generated "
        "tokens from top to bottom, darker for more weight. For an image, one picture per token, "
        "brighter for more weight.</p>"
    )
    data = {"maps": [np.round(item.weights, 4).tolist() for item in maps]}
    return [Section("attention", "Attention", text, shown, data)]


def weights(inspection: Inspection) -> list[Section]:
    """Spectra of the recurrent weights of each layer."""
    sections = []
    for name, layer in recurrent_layers(inspection.run.model).items():
        result = recurrent_spectra(layer.cell)
        if not result:
            continue
        text = (
            "<p>Singular values of each gate's recurrent matrix and, if it is square, its "
            "eigenvalues, with the unit circle. In a linear recurrence, memories fade if the "
            "spectral radius is below 1, and states can grow without bound if it is above 1; "
            "nonlinearities and gates change the effective matrix at every step, and in a simple "
            "RNN with tanh the states stay bounded.</p>"
        )
        data = {
            item.gate: {
                "singular_values": item.singular_values.tolist(),
                "spectral_radius": item.radius,
                "eigenvalues": None
                if item.eigenvalues is None
                else [[v.real, v.imag] for v in item.eigenvalues.tolist()],
            }
            for item in result
        }
        shown = {f"weights-{_file(name)}": figures.spectrum_figure(result)}
        radii = logged_radii(inspection.run.history, name, [item.gate for item in result])
        if radii:
            epochs = [int(row["epoch"]) for row in inspection.run.history]
            shown[f"radii-{_file(name)}"] = figures.radius_figure(radii, epochs)
            data["spectral_radius_by_epoch"] = radii
            text += "<p>The last figure shows the spectral radii after each epoch.</p>"
        sections.append(
            Section(f"weights {name}", f"Recurrent weights of {name}", text, shown, data)
        )
    return sections


def fixed_points(inspection: Inspection) -> list[Section]:
    """Fixed and slow points of each layer with the mean of the first input as a constant input."""
    sections = []
    for number, layer in enumerate(inspection.layers()):
        if layer.state().shape[1] > MAX_STATE_SIZE or layer.steps < 3:
            continue
        title = f"Fixed points of {layer.name}"
        paths = [inspection.layers(k)[number].state() for k in range(len(inspection.subjects))]
        visited = np.concatenate(paths)
        weights = [visited, *(weight.numpy() for weight in layer.cell.trainable_weights)]
        if not all(np.isfinite(item).all() for item in weights):
            text = "<p>The layer has states or weights that are not finite numbers.</p>"
            sections.append(Section(f"fixed-points {layer.name}", title, text, {}, {}))
            continue
        starts = visited[np.linspace(0, len(visited) - 1, STARTS).astype(int)]
        result = find_fixed_points(layer.cell, starts, layer.inputs[0].mean(0))
        rows = "".join(
            f"<tr><td>{point.kind}</td><td>{point.speed:.1e}</td><td>{point.unstable}</td>"
            f"<td>{abs(point.eigenvalues[0]):.3f}</td></tr>"
            for point in result[:6]
        )
        plane = "in their first two principal components"
        if visited.shape[1] == 1:
            plane = "from each state to the next; at points on the dotted line, these are equal"
        text = (
            "<p>Where the state would stay, or almost stay, if the input of every step were the "
            "average of the first input. The state returns to stable points; unstable directions "
            "are where the layer makes decisions. Grey: the paths of the states, "
            f"{plane}.</p><table><tr><th>point</th><th>speed</th><th>unstable directions</th>"
            f"<th>largest |eigenvalue|</th></tr>{rows}</table>"
        )
        data = {
            "points": [
                {
                    "kind": point.kind,
                    "speed": point.speed,
                    "unstable": point.unstable,
                    "largest_eigenvalue": float(abs(point.eigenvalues[0])),
                    "state": np.round(point.state, 5).tolist(),
                }
                for point in result
            ]
        }
        shown = {f"fixed-points-{_file(layer.name)}": figures.fixed_point_figure(paths, result)}
        sections.append(Section(f"fixed-points {layer.name}", title, text, shown, data))
    return sections


def transitions(inspection: Inspection) -> list[Section]:
    """Transitions of a tagger's CRF."""
    if not getattr(inspection.run.template, "crf", False):
        return []
    result = crf_transitions(inspection.run)
    text = (
        "<p>The CRF's score for the tag of a column after the tag of a row; forbidden transitions "
        "are grey.</p>"
    )
    data = {
        "tags": list(result.tags),
        "scores": [[_number(value) for value in row] for row in result.scores],
    }
    shown = {"transitions": figures.transition_figure(result)}
    return [Section("transitions", "Transitions between tags", text, shown, data)]


def embeddings(inspection: Inspection) -> list[Section]:
    """Nearest neighbours of the tokens of the inputs."""
    if inspection.run.task.vocabularies.get("vocabulary") is None:
        return []
    tokens, _ = embedding_of(inspection.run)
    labels = dict.fromkeys(label for subject in inspection.subjects for label in subject.labels)
    chosen = [label for label in labels if label in set(tokens)][:TOKENS]
    if not chosen:
        return []
    results = {token: neighbours(inspection.run, token, 6) for token in chosen}
    rows = "".join(
        f"<tr><td><code>{html.escape(visible([token])[0])}</code></td><td>"
        + ", ".join(
            f"<code>{html.escape(visible([name])[0])}</code> {value:.2f}" for name, value in near
        )
        + "</td></tr>"
        for token, near in results.items()
    )
    text = (
        "<p>The tokens with the most similar vectors, and their cosine similarities.</p>"
        f"<table>{rows}</table>"
    )
    return [Section("embeddings", "Neighbours of tokens", text, {}, {"neighbours": results})]


def _file(name: str) -> str:
    return name.replace(" ", "-")


def _number(value: float) -> float | None:
    """A number for JSON, which has no infinity; None if it is not finite."""
    return float(value) if np.isfinite(value) else None
