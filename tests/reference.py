"""Plain NumPy twins of the kernels: slow, easy to believe, and by other routes than the kernels take."""

import math

import numpy as np

BLOCK = 256
NORMAL, IMPULSE, PATCH, COUNT, COUNT_AGAIN, WALK, WANDER, LINE, CLUSTER, DARK, HOT = range(11)
PHILOX_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
PHILOX_WEYL = 0x9E3779B9, 0xBB67AE85


def philox4x32(counter, key, rounds=10):
    """Philox4x32 (Salmon et al., 2011): counter is four uint32 arrays, key two ints; returns four uint32 arrays."""
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    c0, c1, c2, c3 = (np.asarray(word).astype(np.uint64) for word in counter)
    k0, k1 = key
    for _ in range(rounds):
        product0 = PHILOX_MULTIPLIERS[0] * c0
        product1 = PHILOX_MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> shift) ^ c1 ^ np.uint64(k0),
            product1 & low,
            (product0 >> shift) ^ c3 ^ np.uint64(k1),
            product0 & low,
        )
        k0 = (k0 + PHILOX_WEYL[0]) % 2**32
        k1 = (k1 + PHILOX_WEYL[1]) % 2**32
    return tuple(word.astype(np.uint32) for word in (c0, c1, c2, c3))


def words_at(seed, stream, index, attempt=0):
    """Return the four words of each counter (index, stream, attempt), as an array (4, N)."""
    index = np.atleast_1d(np.asarray(index, np.uint64))
    halves = index & np.uint64(0xFFFFFFFF), index >> np.uint64(32)
    counter = *halves, np.full(index.shape, stream), np.full(index.shape, attempt)
    return np.stack(philox4x32(counter, (seed % 2**32, seed >> 32)))


def words_in_blocks(seed, stream, pixels, lanes, start=0):
    """Return the words of whole blocks: word j of counter start + block * lanes + lane at [block, j, lane]."""
    blocks = -(-pixels // BLOCK)
    return words_at(seed, stream, start + np.arange(blocks * lanes)).reshape(4, blocks, lanes).swapaxes(0, 1)


def box_muller_reference(word0, word1):
    """Turn two words into two normals: see ``box_muller`` in ext/_philox.pxd."""
    u = ((word0 >> 1).astype(np.float64) + 0.5) / 2**31
    radius = np.sqrt(-2 * np.log(u))
    angle = word1.view(np.int32) * (np.pi / 4) / 2**31
    sine, cosine = radius * np.sin(angle), radius * np.cos(angle)
    cosine = np.where(word1 & 2, -cosine, cosine)
    swap = (word1 & 1).astype(bool)
    return np.where(swap, sine, cosine), np.where(swap, cosine, sine)


def normals_reference(pixels, seed, stream=NORMAL, start=0):
    words = words_in_blocks(seed, stream, pixels, BLOCK // 4, start)
    first = box_muller_reference(words[:, 0], words[:, 1])
    second = box_muller_reference(words[:, 2], words[:, 3])
    return np.stack([*first, *second], axis=1).reshape(-1)[:pixels]


def gaussian_reference(image, level, seed, clip=True):
    noisy = image + level * normals_reference(image.size, seed).reshape(image.shape)
    return np.clip(noisy, 0, 1) if clip else noisy


def salt_pepper_reference(image, level, seed):
    words = words_in_blocks(seed, IMPULSE, image.size, BLOCK // 4).reshape(-1)[: image.size]
    return np.where(words.reshape(image.shape) < level * 2**32, image < 0.5, image)


def thresholds_reference(grid, height, seed):
    """Draw one background threshold a patch (spec, section 1)."""
    words = words_at(seed, PATCH, np.arange(math.prod(grid)))
    kind, place = ((word >> 1).astype(np.float64) / 2**31 for word in words[:2])
    floor = np.select([kind < 0.15, kind >= 0.85], [0, 2], 1)
    threshold = height * (floor + place + box_muller_reference(words[2], words[3])[0])
    return np.clip(threshold, 0, 0.6).reshape(grid)


def background_reference(image, seed, height=0.2, grid=(8, 8), smooth=True):
    field = thresholds_reference(grid, height, seed)
    for axis, (length, patches) in enumerate(zip(image.shape, grid, strict=True)):
        centres = (np.arange(patches) + 0.5) * length / patches - 0.5
        if smooth:
            field = np.apply_along_axis(lambda line, n=length, c=centres: np.interp(np.arange(n), c, line), axis, field)
        else:
            field = np.take(field, (2 * np.arange(length) + 1) * patches // (2 * length), axis)
    return np.where(image < field, field, field + (image - field) ** 2 / (1 - field))


def poisson_reference(image, counts, seed, large=16):
    """Return P(counts * image) / counts: inversion below ``large``, PTRS (Hörmann, 1993) from there on."""
    pixels = image.size
    mean = counts * image.astype(np.float64).reshape(-1)
    words = words_in_blocks(seed, COUNT, pixels, BLOCK // 2)
    word0 = words[:, :2].reshape(-1)[:pixels]
    word1 = words[:, 2:].reshape(-1)[:pixels]
    number = np.where(mean < large, _inverted(np.where(mean < large, mean, 0), word0, word1), -1)
    pending = np.flatnonzero(mean >= large)
    word0, word1 = word0[pending], word1[pending]
    attempt = 0
    while pending.size:
        k, taken = _proposed(mean[pending], word0, word1)
        number[pending[taken]] = k[taken]
        pending = pending[~taken]
        word0, word1 = words_at(seed, COUNT_AGAIN, pending, attempt)[:2]
        attempt += 1
    return (number / counts).reshape(image.shape)


def _inverted(mean, word0, word1):
    u = ((word0 >> 6) * 2.0**26 + (word1 >> 6) + 0.5) / 2**52
    probability = np.exp(-mean)
    cumulative = probability.copy()
    number = np.zeros(mean.shape)
    for n in range(1, 120):
        number += u >= cumulative
        probability = probability * mean / n
        cumulative += probability
    return number


def _proposed(mean, word0, word1):
    log_factorial = np.vectorize(lambda k: math.lgamma(max(k, 0) + 1), otypes=[np.float64])
    b = 0.931 + 2.53 * np.sqrt(mean)
    a = -0.059 + 0.02483 * b
    u = (word0.view(np.int32) + 0.5) / 2**32
    v = ((word1 >> 1).astype(np.float64) + 0.5) / 2**31
    us = 0.5 - np.abs(u)
    k = np.floor((2 * a / us + b) * u + mean + 0.43)
    quick = (us >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
    possible = (k >= 0) & ((us >= 0.013) | (v <= us))
    ratio = np.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / us**2 + b))
    return k, quick | (possible & (ratio <= k * np.log(mean) - mean - log_factorial(k)))


def series_reference(normals, spread, phi):
    """AR(1) series along the last axis from standard normals (Lobato 2024, eq. 41), as a sum of powers of phi."""
    first = normals[..., :1] / math.sqrt(1 - phi**2)
    steps = np.concatenate([first, normals[..., 1:]], axis=-1) * spread
    lag = np.subtract.outer(np.arange(steps.shape[-1]), np.arange(steps.shape[-1]))
    return steps @ np.where(lag >= 0, phi ** np.maximum(lag, 0), 0).T


def jitter_reference(image, x, y, line, x_phi, y_phi, line_phi, seed):
    """Displace and resample: the mirrored image and Keys' kernel, written out."""
    rows, columns = image.shape
    down = series_reference(normals_reference(rows, seed, WALK), y, y_phi)
    whole = series_reference(normals_reference(rows, seed, WALK, start=2**32), line, line_phi)
    padded = -(-columns // BLOCK) * BLOCK
    normals = normals_reference(rows * padded, seed, WANDER).reshape(rows, padded)[:, :columns]
    across = series_reference(normals, x, x_phi) + whole[:, None]
    margin = 64
    wide = np.pad(image, margin, "reflect").astype(np.float64)
    at_row = np.arange(rows) + margin + down
    at_column = np.arange(columns) + margin + across
    result = np.zeros(image.shape)
    for i in range(-1, 3):
        row = np.floor(at_row).astype(int) + i
        for j in range(-1, 3):
            column = np.floor(at_column).astype(int) + j
            result += _keys(row - at_row)[:, None] * _keys(column - at_column) * wide[row[:, None], column]
    return np.maximum(result, 0) if image.min() >= 0 else result


def _keys(distance):
    d = np.abs(distance)
    return np.where(d <= 1, (1.5 * d - 2.5) * d * d + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2)


def lines_reference(image, count, low, high, seed):
    """Replace stretches of rows, one after the other (Lobato 2024, eq. 51)."""
    result = image.astype(np.float64)
    rows, columns = image.shape
    for c in words_at(seed, LINE, np.arange(count)).T:
        row, first, length, factor = ((c >> 1) + 0.5) / 2**31 * np.array([rows, columns, columns, high - low])
        stretch = slice(int(first), int(first) + 1 + int(length))
        result[int(row), stretch] = result[int(row), stretch].mean() * (low + factor)
    return result


def clusters_reference(image, count, steps, low, high, seed):
    """Multiply what random walks visit (Lobato 2024, eqs. 37 and 38)."""
    result = image.astype(np.float64)
    for number in range(count):
        row, column, factor, length = ((words_at(seed, CLUSTER, number)[:, 0] >> 1) + 0.5) / 2**31
        place = [int(row * image.shape[0]), int(column * image.shape[1])]
        visited = {tuple(place)}
        for step in range(int(length * (steps + 1))):
            word = words_at(seed, CLUSTER, number, 1 + step // 64)[step % 64 // 16, 0]
            way = int(word) >> (2 * (step % 16)) & 3
            axis, move = way // 2, way % 2 * 2 - 1
            place[axis] = min(max(place[axis] + move, 0), image.shape[axis] - 1)
            visited.add(tuple(place))
        for pixel in visited:
            result[pixel] *= low + (high - low) * factor
    return result


def dark_reference(shape, mean, spread, hot, seed):
    """Draw the dark current of each pixel (Lobato 2024, eq. 32)."""
    pixels = math.prod(shape)
    sigma = math.sqrt(math.log(1 + (spread / mean) ** 2))
    current = np.exp(math.log(mean) - sigma**2 / 2 + sigma * normals_reference(pixels, seed, DARK))
    words = words_in_blocks(seed, HOT, pixels, BLOCK // 2)
    which, where = (words[:, 2 * half : 2 * half + 2].reshape(-1)[:pixels] for half in (0, 1))
    uniform = ((where >> 1) + 0.5) / 2**31
    return np.where(which < hot * 2**32, mean + (5 + 3 * uniform) * spread, current).reshape(shape)


def gather(image, tops, lefts, tile, offset=0.0, scale=1.0):
    """Cut tiles after padding the image by reflection on all sides as far as any tile reaches."""
    height, width = image.shape
    before = max(0, -min(tops)), max(0, -min(lefts))
    after = max(0, max(tops) + tile[0] - height), max(0, max(lefts) + tile[1] - width)
    padded = np.pad(image.astype(np.float64), list(zip(before, after, strict=True)), mode="reflect")
    cut = [
        padded[top + before[0] :, left + before[1] :][: tile[0], : tile[1]]
        for top, left in zip(tops, lefts, strict=True)
    ]
    return ((np.array(cut) - offset) * scale).astype(np.float32)


def weights(axis):
    """Return one row of weights a tile, over the whole axis; they add up to one at every pixel."""
    table = np.zeros((len(axis.starts), axis.length))
    begins, ends = [0, *(r[0] for r in axis.ramps), axis.length], [0, *(r[1] for r in axis.ramps), axis.length]
    for k in range(len(axis.starts)):
        table[k, ends[k] : begins[k + 1]] = 1
        for begin, end, rising in ((begins[k], ends[k], True), (begins[k + 1], ends[k + 1], False)):
            ramp = np.arange(1, end - begin + 1) / (end - begin + 1)
            table[k, begin:end] = ramp if rising else 1 - ramp
    return table


def blend(tiles, plan, dtype=np.float32, offset=0.0, scale=1.0):
    """Add up the tiles, each times the outer product of its weights, then scale, round and clip."""
    total = np.zeros(plan.shape)
    rows, columns = weights(plan.rows), weights(plan.columns)
    for k, tile in enumerate(tiles):
        r, c = divmod(k, len(plan.columns.starts))
        top, left = plan.rows.starts[r], plan.columns.starts[c]
        part = total[top : top + plan.tile[0], left : left + plan.tile[1]]
        inside = tile[: part.shape[0], : part.shape[1]].astype(np.float64)
        weight = np.outer(rows[r, top : top + plan.tile[0]], columns[c, left : left + plan.tile[1]])
        part += weight * inside
    total = offset + scale * total
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        total = np.rint(total).clip(info.min, info.max)
    return total.astype(dtype)


def roll(image, down, right):
    return np.roll(image, (down, right), (0, 1))


WEIGHTS = 0.0448, 0.2856, 0.3001, 0.2363, 0.1333


def reference_mae(x, y):
    """Mean of |x - y|."""
    return np.abs(np.asarray(x, np.float64) - np.asarray(y, np.float64)).mean()


def reference_psnr(x, y, data_range):
    """10 log10(L^2 / mean squared error)."""
    return 10 * np.log10(data_range**2 / ((np.asarray(x, np.float64) - np.asarray(y, np.float64)) ** 2).mean())


def gaussian_means(image):
    """Weigh every whole 11 x 11 window by a Gaussian of sigma 1.5."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    windows = np.lib.stride_tricks.sliding_window_view(image, (11, 11))
    return np.einsum("ijkl,kl->ij", windows, window / window.sum())


def similarity_factors(x, y, data_range):
    """Mean of luminance x contrast-structure, and of contrast-structure alone."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    m1, m2 = gaussian_means(x), gaussian_means(y)
    v1, v2 = gaussian_means(x * x) - m1**2, gaussian_means(y * y) - m2**2
    v12 = gaussian_means(x * y) - m1 * m2
    structure = (2 * v12 + c2) / (v1 + v2 + c2)
    return ((2 * m1 * m2 + c1) / (m1**2 + m2**2 + c1) * structure).mean(), structure.mean()


def reference_ssim(x, y, data_range):
    """Wang et al. (2004)."""
    return similarity_factors(x, y, data_range)[0]


def halved(image):
    """Means of 2 x 2 pixels, an odd last row or column repeated."""
    image = np.asarray(image, np.float64)
    image = np.pad(image, [(0, side % 2) for side in image.shape], mode="symmetric")
    return image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2).mean((1, 3))


def reference_ms_ssim(x, y, data_range):
    """Wang et al. (2003): luminance at the coarsest of five scales only."""
    factors = []
    for _ in range(4):
        factors.append(similarity_factors(x, y, data_range)[1])
        x, y = halved(x), halved(y)
    factors.append(similarity_factors(x, y, data_range)[0])
    return np.prod(np.maximum(factors, 0) ** np.array(WEIGHTS))


def reference_css(x, y, data_range):
    """Noise2Atom, equation 10, with constants that follow the data range."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    light = (2 * x.mean() * y.mean() + c1) / (x.mean() ** 2 + y.mean() ** 2 + c1)
    return light * (2 * covariance + c2) / (x.var() + y.var() + c2)
