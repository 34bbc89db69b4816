
// A line's digits and what stands between them: edgedigits/numbers/read.py and separators.py in JavaScript.

/**
 * Read one line: its signs with their boxes in the picture that was parted; null where it is none of digits.
 * Takes a strip with its pieces and candidates, and the ten bytes of each candidate.
 */
function signsOf(strip, answers, digits) {
    if (strip.candidates.length === 0) return null;
    const parted = { strip, answers, measures: measuresOf(strip, answers) };
    const { measures } = parted;
    const heights = strip.pieces
        .filter((piece) => isSlash(piece, measures, SLASH_IN_DATE))
        .map(({ box }) => (box[3] - box[1]) / measures.height)
        .sort((one, other) => one - other);
    for (const [slash, hasForm] of formsBy(heights)) {
        const found = bestLine(parted, slash, digits);
        if (found !== null && hasForm(textOf(found))) return found;
    }
    return bestLine(parted, Math.max(SLASH, 1 + UNEVEN * measures.unevenness), digits);
}

function textOf(signs) {
    return signs.map((sign) => sign.text).join("");
}

/** Return the forms that tell a slash from a 1, by the heights of what may be either, and how high it is there. */
function formsBy(heights) {
    if (heights.length === 0) return [];
    const inDate = heights.length >= DATE_SLASHES ? [[heights[heights.length - DATE_SLASHES], isDate]] : [];
    return [[Infinity, isDate], ...inDate, [Math.max(SLASH, heights[heights.length - 1]), isTelephoneNumber]];
}

function isTelephoneNumber(text) {
    return new RegExp(`^(?:${TELEPHONE})$`).test(text);
}

function isDate(text) {
    const groups = new RegExp(`^(?:${DATE})$`).exec(text)?.slice(1);
    if (!groups) return false;
    const [low, high] = groups.filter((group) => group !== undefined && /^\d+$/.test(group)).map(Number).sort((one, other) => one - other);
    return 1 <= low && low <= MONTHS && 1 <= high && high <= DAYS;
}

/** Return the signs of the best way through a line, where slashes have so many times the height of its digits at least. */
function bestLine(parted, slash, digits) {
    const ways = bestWays(parted.strip, parted.answers, parted.measures, slash, digits);
    if (ways.length === 0 || !ways[0].text) return null;
    const lead = leadOf(parted, ways);
    const signs = [];
    let last = null;
    let between = [];
    for (const step of stepsOf(ways[0])) {
        if (step.digit === null) {
            between.push(step.first);
            continue;
        }
        if (last !== null && between.length > 0) {
            signs.push(...separatorSign(parted, between, measuresBetween(parted, last, step), slash));
        }
        signs.push(signOf(String(step.digit), boxInPicture(parted.strip, step.first, step.last), confidenceOf(parted, step), lead));
        last = step;
        between = [];
    }
    const read = signs.filter(isDigit);
    const sum = read.reduce((found, sign) => found + sign.confidence, 0);
    return sum >= LEAST_CERTAIN * read.length && ways[0].cost <= LARGEST_COST * read.length ? signs : null;
}

function isDigit({ text }) {
    return text >= "0" && text <= "9";
}

function confidenceOf({ answers }, { candidate, digit }) {
    return answers[CLASSES * candidate + digit] / STEPS;
}

function signOf(text, box, confidence, lead) {
    return { text, box, confidence, margin: lead / STEPS, margin_steps: lead, sure: lead >= facts.min_margin };
}

/** Return what a line measures between two digits, which may stand lower than others, or be higher. */
function measuresBetween({ strip, measures }, before, behind) {
    const boxes = [before, behind].map((step) => strip.candidates[step.candidate].box);
    const foot = (boxes[0][3] + boxes[1][3]) / 2;
    const height = (boxes[0][3] - boxes[0][1] + (boxes[1][3] - boxes[1][1])) / 2;
    return { ...measures, foot, height: Math.max(height, measures.height) };
}

/** Return what separates two digits, the places of whose pieces are given; nothing where these are litter. */
function separatorSign({ strip, measures: usual }, places, measures, slash) {
    const pieces = places.map((place) => ({ ...strip.pieces[place], place }));
    const slashes = pieces.filter((piece) => isSlash(piece, usual, slash)).slice(0, 1);
    const found = slashes.length > 0 ? ["/", slashes] : separatorOf(pieces, measures, strip.stroke);
    if (found === null) return [];
    const [text, parts] = found;
    const parted = parts.map(({ place }) => place);
    return [signOf(text, boxInPicture(strip, Math.min(...parted), Math.max(...parted)), 1, LARGEST_STEP)];
}

/** Tell what pieces between two digits are, none of which is a slash, and which of them; null where they are litter. */
function separatorOf(given, measures, stroke) {
    const pieces = given.filter((piece) => piece.isWhole && piece.area >= SMALLEST_POINT * stroke ** 2);
    const points = pieces.filter((piece) => isPoint(piece, measures));
    const low = points.filter((piece) => middleOf(piece, measures) <= LOW_MIDDLE);
    const high = points.filter((piece) => isBetween(COLON_MIDDLE, middleOf(piece, measures)));
    for (const one of low) {
        for (const other of high) {
            if (one !== other && one.box[0] < other.box[2] && other.box[0] < one.box[2]) return [":", [one, other]];
        }
    }
    const dash = pieces.find((piece) => isDash(piece, measures));
    if (dash) return ["-", [dash]];
    const marks = low.filter((piece) => !isLong(piece) || piece.area >= SMALLEST_COMMA * stroke ** 2);
    if (marks.length === 0) return null;
    const largest = marks.reduce((found, piece) => (piece.area > found.area ? piece : found));
    return [isLong(largest) ? "," : ".", [largest]];
}

function isBetween([least, most], value) {
    return least <= value && value <= most;
}

/** Return how high the middle of a piece is above the foot of the digits, in their heights. */
function middleOf({ box }, measures) {
    return (measures.foot - (box[1] + box[3]) / 2) / measures.height;
}

function isPoint(piece, measures) {
    const [left, top, right, bottom] = piece.box;
    return Math.max(bottom - top, right - left) <= LARGEST_POINT * measures.height && !isDash(piece, measures);
}

function isLong({ elongation }) {
    return elongation >= LONG;
}

function isDash(piece, measures) {
    const [left, top, right, bottom] = piece.box;
    const width = right - left;
    const isFlat = width >= FLAT * (bottom - top) && width >= DASH_WIDTH * measures.height;
    return isFlat && isBetween(DASH_MIDDLE, middleOf(piece, measures));
}

/** Return how likely a line is as it was read, in steps of 1/256. */
function leadOf(parted, ways) {
    const digits = stepsOf(ways[0]).filter((step) => step.digit !== null);
    const ahead = ways.length > 1 ? ways[1].cost - ways[0].cost : MOST_AHEAD;
    const least = Math.min(...digits.map((step) => confidenceOf(parted, step)));
    const known = [1, Math.min(ahead, MOST_AHEAD), ways[0].cost / digits.length, Math.log(Math.max(1 - least, LEAST_DOUBT))];
    const odds = known.reduce((sum, value, index) => sum + RIGHT[index] * value, 0);
    return Math.min(LARGEST_STEP, Math.floor(STEPS / (1 + Math.exp(-odds)) + 0.5));
}

/** Return where the pieces from the first to the last are, in pixels of the picture that was parted. */
function boxInPicture({ ids, width, height, slant, ratio, origin, pieces }, first, last) {
    const [left, top, right, bottom] = boxAround(pieces.slice(first, last + 1).map(({ box }) => box));
    const found = [Infinity, Infinity, -Infinity, -Infinity];
    for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) {
            const id = ids[width * row + column];
            if (id < first || id > last) continue;
            const below = row + 0.5 - height / 2;
            const beside = column + 0.5 - width / 2 - slant * below;
            const across = beside / ratio + origin[0];
            const down = below / ratio + origin[1];
            found[0] = Math.min(found[0], across);
            found[1] = Math.min(found[1], down);
            found[2] = Math.max(found[2], across);
            found[3] = Math.max(found[3], down);
        }
    }
    return [Math.floor(found[0]), Math.floor(found[1]), Math.ceil(found[2]), Math.ceil(found[3])];
}

/** Return the smallest box around others. */
function boxAround(boxes) {
    return [0, 1, 2, 3].map((side) => (side < 2 ? Math.min : Math.max)(...boxes.map((box) => box[side])));
}
