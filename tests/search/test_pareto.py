"""Who is beaten by nobody."""

from __future__ import annotations

import numpy as np

from dltk.search.find import pareto_front


def test_a_point_is_on_the_front_unless_another_is_nowhere_worse_and_somewhere_better():
    assert pareto_front([(0, 3), (1, 1), (3, 0), (2, 2), (1, 3)]) == [0, 1, 2]
    assert pareto_front([]) == []
    assert pareto_front([(5, 5)]) == [0]
    assert pareto_front([(1, 1), (1, 1), (1, 2)]) == [0, 1]  # equals do not beat each other


def test_the_front_of_many_points_beats_all_others_and_itself_nowhere():
    points = np.random.Generator(np.random.PCG64(1)).integers(0, 20, (200, 4)).astype(float)
    front = set(pareto_front(points.tolist()))
    assert front

    def beaten(i):
        return any((points[j] <= points[i]).all() and (points[j] < points[i]).any() for j in range(len(points)))

    assert all(beaten(i) != (i in front) for i in range(len(points)))
