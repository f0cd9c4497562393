"""The solver against definitions and other solvers, on problems small enough to be solved exactly."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from evaluators.probes.solver import Descent, Examples, Linear, Objective, Whitening, fit

Arrays = tuple[np.ndarray, np.ndarray]


def problem(n: int, width: int, labels: int, seed: int) -> Arrays:
    """Correlated features of very different scales and offsets; a linear layer explains some labels."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(width, width)) * np.logspace(-2, 1.5, width)
    features = random.normal(size=(n, width)) @ mixing + np.linspace(-20, 20, width)
    scores = (features - features.mean(0)) / features.std(0) @ random.normal(size=(width, labels))
    noise = random.gumbel(size=scores.shape)
    return features.astype(np.float32), (scores + noise).argmax(1)


def examples(features: np.ndarray, label: np.ndarray) -> Examples:
    return Examples((torch.from_numpy(features),), (None,), torch.from_numpy(label))


def newton(features: np.ndarray, label: np.ndarray, labels: int, penalty: float) -> tuple[np.ndarray, float]:
    """The optimum of mean cross-entropy + penalty/2·|weights|² in float64, by full Newton steps."""
    n, width = features.shape
    x = np.c_[features.astype(np.float64), np.ones(n)]
    ridge = np.diag(np.r_[np.full(width, penalty), 0.0])
    w = np.zeros((width + 1, labels))
    gold = np.eye(labels)[label]
    for _ in range(50):
        scores = x @ w
        p = np.exp(scores - scores.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        gradient = x.T @ (p - gold) / n + ridge @ w
        blocks = np.einsum("nk,nl->nkl", p, -p) + np.einsum("nk,kl->nkl", p, np.eye(labels))
        hessian = np.einsum("ni,nj,nkl->ikjl", x, x, blocks).reshape(w.size, w.size) / n
        hessian += np.kron(ridge, np.eye(labels)) + 1e-12 * np.eye(w.size)
        w -= np.linalg.lstsq(hessian, gradient.ravel(), rcond=None)[0].reshape(w.shape)
    scores = x @ w
    top = scores.max(1)
    loss = np.log(np.exp(scores - top[:, None]).sum(1)) + top - scores[np.arange(n), label]
    return w, float(loss.mean() + 0.5 * penalty * (w[:-1] ** 2).sum())


def whitened(features: np.ndarray) -> np.ndarray:
    maps = Whitening((torch.from_numpy(features),))
    return ((torch.from_numpy(features) - maps.means[0]) @ maps.maps[0]).numpy()


@pytest.mark.parametrize("penalty", [1e-1, 1e-2, 1e-3])
def test_the_optimum_is_newtons(penalty: float) -> None:
    features, label = problem(400, 6, 4, seed=0)
    objective = Objective(examples(features, label), 4)
    descent = Descent(objective, penalty)
    descent.run(1e-9)
    _, exact = newton(whitened(features), label, 4, penalty)
    assert descent.value == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize(("labels", "seed"), [(2, 0), (3, 1), (7, 2)])
def test_the_optimum_is_that_of_scikit_learn(labels: int, seed: int) -> None:
    """The same penalised likelihood: the same value, and the same probabilities for unseen vectors."""
    features, label = problem(600, 12, labels, seed)
    train, test = features[:400], features[400:]
    penalty = 10 / 400
    objective = Objective(examples(train, label[:400]), labels)
    descent = Descent(objective, penalty)
    descent.run(1e-9)
    maps = objective.whitening
    plain, other = (
        ((torch.from_numpy(x) - maps.means[0]) @ maps.maps[0]).double().numpy() for x in (train, test)
    )
    # With two classes it has one row of weights, the difference of our two, and so half our penalty.
    share = 1 if labels > 2 else 2
    peer = LogisticRegression(C=share / (400 * penalty), tol=1e-8, max_iter=10_000).fit(plain, label[:400])
    paid = 0.5 * penalty * (peer.coef_**2).sum() / share
    assert descent.value == pytest.approx(log_loss(label[:400], peer.predict_proba(plain)) + paid, rel=1e-5)
    logits = objective.linear(descent.point).logits(examples(test, label[400:]))
    np.testing.assert_allclose(torch.softmax(logits, 1).numpy(), peer.predict_proba(other), atol=2e-3)


def test_a_penalty_lowered_on_the_way_ends_where_it_would_have_ended() -> None:
    features, label = problem(400, 6, 4, seed=1)
    objective = Objective(examples(features, label), 4)
    descent = Descent(objective, 1.0)
    for penalty in (1.0, 0.1, 0.01, 0.001):
        descent.lower(penalty)
        value, gradient, _ = objective(descent.point, penalty)
        assert descent.value == pytest.approx(value, rel=1e-6), (
            "value and gradient are changed without a pass"
        )
        torch.testing.assert_close(descent.gradient, gradient, rtol=1e-4, atol=1e-6)
        descent.run(1e-9)
    assert descent.value == pytest.approx(newton(whitened(features), label, 4, 0.001)[1], rel=1e-5)


def test_value_and_gradient_are_those_of_the_definition() -> None:
    features, label = problem(50, 3, 4, seed=2)
    pairs = np.random.default_rng(0).integers(0, 50, size=(80, 2))
    label = np.random.default_rng(1).integers(0, 4, size=80)
    vectors = torch.from_numpy(features)
    index = tuple(torch.from_numpy(pairs[:, i].copy()) for i in range(2))
    objective = Objective(Examples((vectors, vectors), index, torch.from_numpy(label)), 4)
    point = torch.randn(objective.start().shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    maps = objective.whitening
    weight, bias = point[:-4].view(2, 3, 4), point[-4:]
    z = [(vectors - mean) @ out for mean, out in zip(maps.means, maps.maps, strict=True)]
    logits = z[0][index[0]] @ weight[0] + z[1][index[1]] @ weight[1] + bias
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(label)) + 0.15 * weight.pow(2).sum()
    loss.backward()
    value, gradient, spread = objective(point.detach(), 0.3)
    assert value == pytest.approx(float(loss.detach()), rel=1e-5)
    torch.testing.assert_close(gradient, point.grad, rtol=1e-3, atol=1e-4)
    p = torch.softmax(logits.detach(), 1)
    expected = (torch.diag_embed(p) - p[:, :, None] * p[:, None, :]).mean(0)
    torch.testing.assert_close(spread, expected, rtol=1e-3, atol=1e-4)


def test_whitened_vectors_have_no_mean_unit_variance_and_no_correlation() -> None:
    random = np.random.default_rng(3)
    mixing = np.eye(8) + 0.5 * random.normal(size=(8, 8))
    features = (random.normal(size=(2000, 8)) @ mixing * np.logspace(-3, 2, 8) + 5).astype(np.float32)
    z = whitened(features).astype(np.float64)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(z.T), np.eye(8), atol=0.02)


def test_a_dimension_that_never_moves_does_no_harm() -> None:
    features, label = problem(300, 5, 3, seed=4)
    still = np.c_[features, np.full(300, 7.0, np.float32), features[:, 0]]
    plain = fit(examples(features[:200], label[:200]), examples(features[200:], label[200:]), 3)
    found = fit(examples(still[:200], label[:200]), examples(still[200:], label[200:]), 3)
    assert torch.isfinite(found.linear.weight).all()
    assert found.dev_loss == pytest.approx(plain.dev_loss, rel=0.05)


def test_the_development_split_decides_how_far_the_fit_goes() -> None:
    """Where labels are noise, their shares are the best that can be done; where clear, no restraint."""
    random = np.random.default_rng(0)
    features = random.normal(size=(600, 40)).astype(np.float32)
    noise = random.choice(4, size=600, p=[0.7, 0.1, 0.1, 0.1])
    found = fit(examples(features[:300], noise[:300]), examples(features[300:], noise[300:]), 4)
    shares = np.bincount(noise[:300]) / 300
    floor = float(-np.log(shares[noise[300:]]).mean())
    assert found.strength >= 300
    assert found.dev_loss < floor * 1.05
    clear = features[:, :4].argmax(1)
    found = fit(examples(features[:300], clear[:300]), examples(features[300:], clear[300:]), 4)
    assert found.strength <= 3
    assert found.dev_loss < 0.4


def test_the_same_problem_gives_the_same_weights_to_the_last_bit() -> None:
    features, label = problem(500, 10, 5, seed=5)
    split = examples(features[:400], label[:400]), examples(features[400:], label[400:])
    first, second = fit(*split, 5), fit(*split, 5)
    assert torch.equal(first.linear.weight, second.linear.weight)
    assert first == first.__class__(
        first.linear, second.strength, second.train_loss, second.dev_loss, second.passes
    )


def test_a_linear_layer_over_pairs_is_one_over_their_concatenation() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(7, 4, generator=generator)
    index = (torch.tensor([0, 3, 6]), torch.tensor([1, 1, 2]))
    weight, bias = torch.randn(2, 4, 5, generator=generator), torch.randn(5, generator=generator)
    found = Linear(weight, bias).logits(
        Examples((vectors, vectors), index, torch.zeros(3, dtype=torch.int64))
    )
    joined = torch.cat([vectors[index[0]], vectors[index[1]]], 1) @ weight.reshape(8, 5) + bias
    torch.testing.assert_close(found, joined)


def test_the_chosen_penaltys_fit_ends_near_its_optimum() -> None:
    """However roughly the penalties on the way to it were fitted."""
    features, label = problem(1_500, 12, 5, seed=6)
    train, dev = examples(features[:1_000], label[:1_000]), examples(features[1_000:], label[1_000:])
    found = fit(train, dev, 5)
    descent = Descent(Objective(train, 5), found.strength / 1_000)
    descent.run(1e-9)
    optimum = descent.objective.linear(descent.point)
    assert found.dev_loss == pytest.approx(optimum.loss(dev), rel=5e-3)
    assert found.train_loss == pytest.approx(optimum.loss(train), rel=5e-3)
    assert found.passes < 60
