
// The likeliest way through a line: edgedigits/numbers/path.py in JavaScript, whose docstrings say why. All constants of the
// reader of numbers are Python's own, and come with the network.
const {
    ASTRAY, ASTRAY_COST, BARE_WIDTH, CERTAIN, COLON_MIDDLE, DASH_MIDDLE, DASH_WIDTH, DATE, DATE_SLASHES, DAYS, DIGIT, DIGIT_COST,
    FLAT, HEIGHT, HIGH, HIGH_COST, JOINED_COST, LARGE_COST, LARGEST_COST, LARGEST_POINT, LARGEST_STEP, LEAST_CERTAIN, LEAST_DOUBT,
    LEAST_PROBABILITY, LONG, LOW, LOW_COST, LOW_MIDDLE, MONTHS, MOST_AHEAD, MOST_DIGITS, MOST_LINES, MOST_PARTS, MOST_PARTS_OF_ONE,
    PROBABILITY_COST, RIGHT, SECOND, SEPARATORS, SLASH, SLASH_IN_DATE, SLASH_TILT, SMALL_COST, SMALLEST_COMMA, SMALLEST_POINT, SPACE,
    STROKE_WEIGHT, TELEPHONE, UNEVEN, WAYS, WIDE, WIDE_COST,
} = "@NUMBERS@";

/**
 * Return the ways of least cost through a strip that read differently, the best first; none where none has so many digits.
 * Takes the ten bytes of each candidate, what `measuresOf` says of the strip, the least height of a slash in that of the line's
 * digits, and how many digits there have to be, null for any number.
 */
function bestWays(strip, answers, measures, slash, digits) {
    const edges = edgesOf(strip, answers, measures);
    const places = [new Map([[stateOf(0, false), [{ cost: 0, text: "", step: null, before: null, openCost: 0 }]]])];
    strip.pieces.forEach((piece, place) => {
        const found = new Map();
        const none = { first: place, last: place, candidate: null, digit: null };
        extendWays(found, places[place], none, leftOut(piece, measures, slash), digits);
        for (const { step, cost } of edges[place]) {
            extendWays(found, places[step.first], step, { always: cost, atEnd: 0 }, digits);
        }
        places.push(new Map([...found].map(([state, ways]) => [state, cheapest(ways)])));
    });
    const ends = [...places[places.length - 1]].filter(([state]) => digitsOf(state) === (digits ?? 0));
    return cheapest(ends.flatMap(([, ways]) => ways.map((way) => ({ ...way, cost: way.cost + way.openCost, openCost: 0 }))));
}

// What ways have in common that are compared, in one number: how many digits, where there have to be so many, and whether a
// slash is behind the last of them.
function stateOf(digits, isOpen) {
    return 2 * digits + isOpen;
}

function digitsOf(state) {
    return state >> 1;
}

/** Add the ways that go on with a step, by their state. */
function extendWays(found, before, step, { always, atEnd }, digits) {
    const isDigit = step.digit !== null;
    for (const [state, ways] of before) {
        const further = digitsOf(state) + (digits !== null && isDigit);
        if (digits !== null && further > digits) continue;
        for (const way of ways) {
            const pending = isDigit ? 0 : way.openCost + (way.text ? atEnd : 0);
            const cost = way.cost + (isDigit || way.text ? always : always + atEnd);
            const next = stateOf(further, !isDigit && (state % 2 === 1 || pending > 0));
            const text = isDigit ? way.text + step.digit : way.text;
            if (!found.has(next)) found.set(next, []);
            found.get(next).push({ cost, text, step, before: way, openCost: pending });
        }
    }
}

/** Return the cheapest ways of different texts. */
function cheapest(ways) {
    const kept = [];
    for (const way of ways.sort((one, other) => one.cost - other.cost)) {
        if (kept.some((other) => other.text === way.text)) continue;
        kept.push(way);
        if (kept.length === WAYS) break;
    }
    return kept;
}

/** Return all steps of a way from the first to the last. */
function stepsOf(way) {
    const steps = [];
    for (; way !== null && way.step !== null; way = way.before) steps.push(way.step);
    return steps.reverse();
}

/** Tell whether a piece is a straight stroke, tilted and at least so many times as high as the line's digits. */
function isSlash({ tilt, box }, measures, least) {
    // What is no straight stroke has no number for a tilt, which is never larger.
    return tilt >= SLASH_TILT && (box[3] - box[1]) / measures.height >= least;
}

/** Return what it costs that a piece is no part of a digit: always, and besides where no digit is before or none behind it. */
function leftOut(piece, measures, slash) {
    const stroke = (LARGE_COST * piece.area) / (4 * HEIGHT);
    if (isSlash(piece, measures, slash)) return { always: 0, atEnd: stroke };
    if (piece.isSmall) return { always: isAtHead(piece, measures) ? HIGH_COST : SMALL_COST, atEnd: 0 };
    return { always: stroke, atEnd: 0 };
}

/** Tell whether a piece is where strokes of a 5 or 7 lie, and no point or dash. */
function isAtHead({ box }, measures) {
    return (box[1] + box[3]) / 2 < measures.foot - (1 - HIGH) * measures.height;
}

/** Tell whether the first or last piece of a candidate is small, and not at its head. */
function endsInSmall(strip, { first, last }, measures) {
    return first !== last && [first, last].some((place) => {
        const piece = strip.pieces[place];
        return piece.isSmall && !isAtHead(piece, measures);
    });
}

/** Return by the last piece what may be a digit, and what it costs. */
function edgesOf(strip, answers, measures) {
    const edges = strip.pieces.map(() => []);
    const found = strip.candidates.map((candidate, index) => ({
        index,
        candidate,
        ranked: twoLikeliest(answers.subarray(CLASSES * index, CLASSES * (index + 1))),
        ...shapeOf(strip, candidate, measures),
    }));
    for (const rank of [0, 1]) {
        for (const { index, candidate, ranked, shape, scale } of found) {
            const { digit, probability } = ranked[rank];
            if (rank > 0 && probability < SECOND) continue;
            const step = { first: candidate.first, last: candidate.last, candidate: index, digit };
            edges[candidate.last].push({ step, cost: shape + scale * Math.log(Math.max(probability, LEAST_PROBABILITY)) });
        }
    }
    return edges;
}

/** Return what a candidate costs as a digit by its place and size, and what the logarithm of its probability counts. */
function shapeOf(strip, candidate, measures) {
    const [left, top, right, bottom] = candidate.box.map((side) => side / HEIGHT);
    const usual = measures.height / HEIGHT;
    const foot = measures.foot / HEIGHT;
    const width = right - left;
    let shape = DIGIT_COST + LOW_COST * Math.max(0, LOW - (bottom - top) / usual);
    shape += WIDE_COST * Math.max(0, width / usual - WIDE);
    shape += ASTRAY_COST * Math.max(0, Math.abs(bottom - foot) / usual - ASTRAY);
    shape += JOINED_COST * endsInSmall(strip, candidate, measures);
    return { shape, scale: -PROBABILITY_COST * (BARE_WIDTH + width) };
}

/** Return the two likeliest of ten digits; of equal ones the larger digit comes first, as in Python. */
function twoLikeliest(ten) {
    const order = Array.from(ten, (_, digit) => digit).sort((one, other) => ten[other] - ten[one] || other - one);
    return order.slice(0, 2).map((digit) => ({ digit, probability: ten[digit] / STEPS }));
}

/** Return how high the digits of a line are, the row at which they end, and how unlike they are. */
function measuresOf(strip, answers) {
    const heights = strip.candidates.map(({ box }) => box[3] - box[1]);
    const weights = strip.candidates.map(({ first, last }, index) => {
        const likeliest = Math.max(...answers.subarray(CLASSES * index, CLASSES * (index + 1))) / STEPS;
        const isStroke = first === last && !Number.isNaN(strip.pieces[first].tilt);
        return (isStroke ? STROKE_WEIGHT : 1) * (likeliest ** CERTAIN * heights[index]);
    });
    const height = weightedMedian(heights, weights);
    const uneven = heights.map((each) => Math.abs(each / height - 1));
    const foot = weightedMedian(strip.candidates.map(({ box }) => box[3]), weights);
    return { height, foot, unevenness: weightedMedian(uneven, weights) };
}

function weightedMedian(values, weights) {
    const order = values.map((_, index) => index).sort((one, other) => values[one] - values[other]);
    let sum = 0;
    const below = order.map((index) => (sum += weights[index]));
    return values[order[below.findIndex((each) => each >= sum / 2)]];
}
