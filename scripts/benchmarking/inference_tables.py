"""Showing what ``scripts/benchmark.py inference`` has measured, as Markdown."""

from __future__ import annotations

from typing import Any


def print_tables(result: dict[str, Any]) -> None:
    """Print sides, ratios, equality, Dice and cost."""
    settings, machine = result["settings"], result["machine"]
    print(f"{settings['model']}, window {' × '.join(map(str, settings['patch']))}, {settings['rounds']} rounds over")
    print(f"{', '.join(settings['cases'])}; {machine['processor']}, {machine['cores']} cores\n")
    print("| side | network s | file to file s | peak GB |\n|---|---|---|---|")
    for side in result["sides"]:
        peak = side["peak_bytes"] / 1e9
        print(f"| {side['does']} | {side['network_s']:.2f} | {side['end_to_end_s']:.1f} | {peak:.2f} |")
    print("\n| against | what | theirs / ours | from | to |\n|---|---|---|---|---|")
    for row in result["rows"]:
        low, high = row["spread"]
        print(f"| {row['against']} | {row['what']} | {row['ratio']:.2f} | {low:.2f} | {high:.2f} |")
    if result["equality"]:
        print("\n| label | cases | lowest Dice | volume changes by up to | HD95 voxels | same |")
        print("|---|---|---|---|---|---|")
    for row in result["equality"]:
        distance = "–" if row["worst_hd95_voxels"] is None else f"{row['worst_hd95_voxels']:.2f}"
        worst = f"{row['worst_dice']:.5f} | {row['worst_volume_change']:.3%} | {distance}"
        print(f"| {row['label']} | {row['cases']} | {worst} | {'yes' if row['accepted'] else 'no'} |")
    print("\nMean Dice to the expert:")
    for row in result["dice"]:
        print(f"- {row['name']}: " + ", ".join(f"{region} {value:.3f}" for region, value in row["dice"].items()))
    cost = result["cost"]
    print(
        f"\nCost: {cost['seconds_at_zero']:.1f} s + {cost['seconds_per_million_voxels']:.2f} s for each million voxels."
    )
