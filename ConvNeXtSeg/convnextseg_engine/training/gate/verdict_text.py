"""The verdict in plain words: what came out, why, what you can do; then what was measured."""

from __future__ import annotations

from .comparison import FEWEST_FOR_TEST, STATED_LOSSES, Comparison
from .guard import GuardReport
from .verdict import Action, Outcome, Verdict

_SHOWN_STOPS = 5


def verdict_text(verdict: Verdict) -> str:
    """Return the whole verdict as text, in paragraphs of headed lines and one table."""
    parts = [
        f"Result: {_result(verdict)}",
        f"Why: {_why(verdict)}",
        f"What you can do: {_remedy(verdict)}",
        f"What the test could have noticed: {power_sentence(verdict)}",
        f"Forgetting: {guard_sentence(verdict.guard, verdict.margin)}",
    ]
    if not verdict.independence_checked:
        parts.append("Note: It was not checked whether these cases were used for training or for stopping.")
    return "\n".join([*parts, "", case_table(verdict)] if verdict.table else parts)


def power_sentence(verdict: Verdict) -> str:
    """Say what the test against the current version could have noticed."""
    n = verdict.cases
    current = verdict.comparisons[0] if verdict.comparisons else None
    if current is None or current.test == "none":
        return (
            f"Nothing: with {_cases(n)} there is no test. At least {FEWEST_FOR_TEST} are needed, "
            "10 or more for a test that notices small losses."
        )
    if current.power is None:
        return "This cannot be said, because the cases do not differ in how much they changed."
    main, *others = current.power.noticed
    sentence = f"With {n} cases a loss of {main[0]:.2f} Dice would be noticed {_in_ten(main[1])}"
    more = next((pair for pair in sorted(others) if pair[1] >= 0.8 and pair[0] > main[0]), None)
    if main[1] < 0.8:
        sentence += (
            f", one of {more[0]:.2f} {_in_ten(more[1])}"
            if more
            else f", and even one of {max(STATED_LOSSES):.2f} only {_in_ten(dict(others)[max(STATED_LOSSES)])}"
        )
    accepted = _in_ten(current.power.equal_accepted)
    return f"{sentence}. A candidate exactly as good as the current version would pass this test {accepted}."


def guard_sentence(guard: GuardReport | None, margin: float) -> str:
    """Say what the guard cases show; without them, that forgetting was not measured."""
    if guard is None:
        return (
            "Not measured. There were no guard cases, so nobody knows whether the candidate still does well "
            "on what it was not tuned on."
        )
    cases = {change.case for change in guard.changes}
    what = (
        f"{_cases(len(cases), 'synthetic case')} (a proxy, no patients)"
        if guard.proxy
        else _cases(len(cases), "guard case")
    )
    means = " and ".join(
        f"{mean:+.3f} against the {name} version"
        for name in ("current", "first")
        if (mean := guard.mean_change(name)) is not None
    )
    worst = min(guard.changes, key=lambda change: change.difference)
    text = (
        f"Measured on {what}: mean Dice {means}; the largest change downwards is {worst.difference:+.2f} "
        f"({worst.case}, against the {worst.against} version)."
    )
    if not guard.forgot(margin):
        return f"{text} No forgetting was seen in these cases."
    stops = f" {_stops([stop.message for stop in guard.stops])}" if guard.stops else ""
    return f"{text} The candidate has forgotten something.{stops}"


def case_table(verdict: Verdict) -> str:
    """Return the Dice of every case, region and label in the three versions, as aligned text."""
    width = max([len(row.target) for row in verdict.table] + [6])
    lines = [f"  {'Dice':<{width}}   first  current  candidate  difference"]
    case = None
    for row in verdict.table:
        if row.case != case:
            case = row.case
            lines.append(f"Case {case}")
        note = "  (nothing to find, nothing marked)" if row.both_empty else ""
        lines.append(
            f"  {row.target:<{width}}  {row.first:6.3f}  {row.current:7.3f}  {row.candidate:9.3f}"
            f"  {row.difference:+10.3f}{note}"
        )
    return "\n".join(lines)


def _result(verdict: Verdict) -> str:
    count = _cases(verdict.cases)
    if verdict.outcome is Outcome.HARD_STOP:
        return "Stopped. In at least one case the candidate is so much worse that no average may hide it."
    if verdict.outcome is Outcome.TOO_FEW:
        return f"Too few cases to judge. There {'is' if verdict.cases == 1 else 'are'} {count}; no test was made."
    if verdict.outcome is Outcome.REJECT:
        if any(comparison.shown_worse for comparison in verdict.comparisons):
            return f"Not accepted. The test on {count} shows that the candidate is worse."
        return f"Not accepted. On {count} it could not be shown that the candidate is as good."
    weak = " The test is a weak one." if verdict.comparisons[0].weak else ""
    return f"Accepted. By the test on {count} the mean loss is below {verdict.margin:.2f} Dice, if there is one.{weak}"


def _why(verdict: Verdict) -> str:
    reasons = [_comparison(comparison, verdict.margin) for comparison in verdict.comparisons]
    if not verdict.comparisons:
        reasons.append("The case set has no case in the split “test”, so nothing was compared.")
    if len(verdict.comparisons) == 1:
        reasons.append("The current version is also the first one.")
    if verdict.stops:
        reasons.insert(0, _stops([stop.message for stop in verdict.stops]))
    elif verdict.outcome is Outcome.HARD_STOP:
        reasons.insert(0, "The stop comes from the guard cases, see below.")
    return " ".join(reasons)


def _comparison(comparison: Comparison, margin: float) -> str:
    worse = sum(difference < -1e-9 for difference in comparison.differences)
    text = (
        f"Against the {comparison.against} version the mean Dice changed by {comparison.mean:+.3f}; "
        f"{worse} of {_cases(len(comparison.differences))} became worse"
    )
    if worse:
        text += f", the worst by {-min(comparison.differences):.3f}"
    if comparison.interval is not None:
        text += (
            f" (95 % interval of the mean, for display: {comparison.interval[0]:+.3f} to {comparison.interval[1]:+.3f})"
        )
    if comparison.test == "sign-flip":
        text += (
            f". Exact sign-flip test that the loss is below {margin:.2f}: p = {comparison.p:.3f}, needed 0.05 or less"
        )
    elif comparison.test == "t bound":
        text += f". One-sided 95 % bound (paired t): {comparison.lower_bound:+.3f}, needed above {-margin:.2f}"
    return f"{text}."


def _remedy(verdict: Verdict) -> str:
    if verdict.action is Action.PROMOTE:
        return "Promote the candidate. The current version is kept, and rolling back is one click."
    if verdict.action is Action.KEEP:
        return (
            "Keep the current version. More test cases, or more and better corrected training cases, "
            "give the candidate another chance. You may promote it all the same; that is recorded as overruling."
        )
    if verdict.outcome is Outcome.TOO_FEW:
        return (
            "You decide: look at the table and at the segmentations of each case, then promote the candidate or keep "
            f"the current version. With {FEWEST_FOR_TEST} or more cases that were never used for training, "
            "a test can help."
        )
    if verdict.outcome is Outcome.ACCEPT:
        return "You decide: the test cases speak for the candidate, the guard cases against it. Look at both."
    return (
        "Look at the named cases in all versions before you decide; keep the current version if you cannot explain the "
        "change. Promoting the candidate is recorded as overruling."
    )


def _stops(messages: list[str]) -> str:
    hidden = len(messages) - _SHOWN_STOPS
    return " ".join(messages[:_SHOWN_STOPS]) + (f" And {hidden} more of this kind." if hidden > 0 else "")


def _cases(count: int, noun: str = "case") -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _in_ten(share: float) -> str:
    tenths = round(10 * share)
    if tenths == 0:
        return "almost never"
    return "almost always" if tenths == 10 else f"{'once' if tenths == 1 else f'{tenths} times'} in 10"
