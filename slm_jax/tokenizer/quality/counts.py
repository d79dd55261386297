"""Measures of units against labels, from how often each unit occurs with each label (counts_LxK)."""

import numpy as np


def entropy(counts_N: np.ndarray) -> float:
    """Entropy in nats of the distribution that counts make."""
    p_N = counts_N[counts_N > 0] / counts_N.sum()
    return max(0.0, -float((p_N * np.log(p_N)).sum()))


def label_purity(counts_LxK: np.ndarray) -> float:
    """Accuracy of guessing the label from the unit, as its most frequent one: E_z[max_y p(y|z)].

    "Phone purity" of Hsu et al. (2021), HuBERT, arXiv 2106.07447, section IV-B, where labels are phones.
    """
    return float(counts_LxK.max(axis=0).sum() / counts_LxK.sum())


def cluster_purity(counts_LxK: np.ndarray) -> float:
    """Accuracy of guessing the unit from the label: E_y[max_z p(z|y)], ibid."""
    return float(counts_LxK.max(axis=1).sum() / counts_LxK.sum())


def information_share(counts_LxK: np.ndarray) -> float:
    """I(label; unit) / H(label), the share of the label's uncertainty that the unit takes away.

    Phone-normalized mutual information (PNMI), ibid., where labels are phones. 0 where there is one label.
    """
    labels = entropy(counts_LxK.sum(axis=1))
    if labels == 0:
        return 0.0
    information = labels + entropy(counts_LxK.sum(axis=0)) - entropy(counts_LxK.ravel())
    return float(np.clip(information / labels, 0, 1))
