// How hard a passphrase is to guess, said carefully: it would rather call a good one weak than a weak one good.
//
// It counts what a guesser has to try: a word or a run of one kind of characters as one choice among few, random characters as one
// among their alphabet. It can't know whether words were drawn or remembered: of words it never says more than "if they were drawn", and of
// what reads like a sentence, which may stand in a book, never more than "fair".

/** A word of ten thousand. */
const WORD_BITS = 13;
/** One that holds sentences together, and one that such a sentence leads to. */
const SMALL_BITS = 3;
const SENTENCE_BITS = 7;
/** What everybody has heard: one of a thousand or so. */
const SAYING_BITS = 10;

/** The words that sentences are held together by, in the languages of the page. */
const SMALL = new Set(
  (
    "a an and are as at be but by can do for from had has have he her his i in is it its me my not of on or our she so that the their them they this to was we were what when " +
    "who will with you your all over de een en het ik is je niet op te van voor was wat met zijn dat die der die das den dem des ein eine ich ist nicht und von wir zu mit sie es " +
    "le la les un une des du et est il je ne pas que qui sur pour dans tu nous el los las una y en que no es por con mi su al lo se yo من في على ان إن ما لا هو هي الى إلى كل هذا"
  ).split(" "),
);

/** Said too often to be a secret; without marks, blanks and accents. */
const SAYINGS = [
  "thequickbrownfoxjumpsoverthelazydog",
  "correcthorsebatterystaple",
  "tobeornottobethatisthequestion",
  "maytheforcebewithyou",
  "itwasthebestoftimesitwastheworstoftimes",
  "inthebeginninggodcreatedtheheavenandtheearth",
  "inthebeginningwastheword",
  "ourfatherwhoartinheaven",
  "thelordismyshepherd",
  "ihaveadream",
  "allyourbasearebelongtous",
  "oneringtorulethemall",
  "livelongandprosper",
  "winteriscoming",
  "rosesareredvioletsareblue",
  "twinkletwinklelittlestar",
  "maryhadalittlelamb",
  "happybirthdaytoyou",
  "loremipsumdolorsitamet",
  "cogitoergosum",
  "venividivici",
  "jepensedoncjesuis",
  "allonsenfantsdelapatrie",
  "liberteegalitefraternite",
  "allemenschenwerdenbruder",
  "freudeschonergotterfunken",
  "seinodernichtseindasisthierdiefrage",
  "zijnofnietzijn",
  "wilhelmusvannassouwe",
  "enunlugardelamancha",
  "بسماللهالرحمنالرحيم",
];

const SEQUENCES = ["abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop"];
const KNOWN = /(pass(word|phrase)?|qwerty|azerty|letmein|welcome|admin|undertone|secret|geheim|wachtwoord|motdepasse|contrase|iloveyou|dragon|monkey|1234)/gi;

function alphabet(text: string): number {
  let size = 0;
  if (/[a-z]/.test(text)) size += 26;
  if (/[A-Z]/.test(text)) size += 26;
  if (/[0-9]/.test(text)) size += 10;
  if (/[^\p{L}\p{N}]/u.test(text)) size += 20;
  if (/[^\u0000-\u007f]/u.test(text)) size += 40;
  return Math.max(size, 2);
}

function isSequence(text: string): boolean {
  const small = text.toLowerCase();
  if (/^(.)\1+$/u.test(small)) return true;
  return SEQUENCES.some((row) => row.includes(small) || [...row].reverse().join("").includes(small));
}

function bitsOfPiece(piece: string): number {
  if (piece.length === 0) return 0;
  if (isSequence(piece)) return 4;
  if (/^(19|20)\d\d$/.test(piece)) return 6;
  const distinct = new Set(piece).size;
  return Math.log2(alphabet(piece)) * Math.min(piece.length, distinct * 1.5);
}

/** What looks like a word is one; a capital more is little work. */
const isWord = (piece: string): boolean => /^\p{L}[\p{Ll}\p{Lo}\p{M}]+$/u.test(piece) && piece.length <= 12;

/** Without what makes no difference to somebody who tries sayings. */
const plain = (text: string): string => text.normalize("NFD").replace(/[^\p{L}]/gu, "").toLowerCase();

interface Found {
  /** That a guesser has to go through, at most. */
  bits: number;
  /** The part of them that is in no words. */
  random: number;
  isSentence: boolean;
}

function look(passphrase: string): Found {
  const seen = new Set<string>();
  const pieces = passphrase.replace(KNOWN, " ").match(/[\p{L}\p{M}]+|\p{N}+|[^\p{L}\p{M}\p{N}\s]+/gu) ?? [];
  // Letters between signs are no words, unless most of it is.
  const inWords = pieces.filter((piece) => isWord(piece) && piece.length > 3).join("").length;
  const isMixed = !/\s/.test(passphrase) && pieces.length > 4 && 2 * inWords < passphrase.length;
  if (isMixed) {
    const bits = bitsOfPiece(pieces.join(""));
    return { bits, random: bits, isSentence: false };
  }
  const isSentence = pieces.filter((piece) => SMALL.has(piece.toLowerCase())).length > 1;
  let [bits, random] = [0, 0];
  for (const piece of pieces) {
    const known = piece.toLowerCase();
    if (seen.has(known)) bits += 1;
    else if (SMALL.has(known)) bits += SMALL_BITS;
    else if (isWord(piece) && !isSequence(piece)) bits += Math.min(isSentence ? SENTENCE_BITS : WORD_BITS, piece.length * 4);
    else {
      bits += bitsOfPiece(piece);
      random += bitsOfPiece(piece);
    }
    seen.add(known);
  }
  const letters = plain(passphrase);
  const saying = SAYINGS.find((one) => letters.includes(one));
  // What is beside a saying counts, as a word or two.
  if (saying !== undefined) return { bits: SAYING_BITS + Math.min(WORD_BITS, 4 * (letters.length - saying.length)) + random, random, isSentence: true };
  return { bits, random, isSentence };
}

/** What is said of a passphrase: 0 refused, 1 weak, 2 fair, 3 good, 4 strong, at the pace of Argon2id with 64 MiB and three passes. */
export type Level = 0 | 1 | 2 | 3 | 4;
/** "sentence": fair if nobody has said it before. "words": good if they were drawn at random. */
export type Verdict = Level | "sentence" | "words";

const FAIR = 36;
const GOOD = 50;
const STRONG = 64;

export function verdict(passphrase: string): Verdict {
  if ([...passphrase].length < 8) return 0;
  const { bits, random, isSentence } = look(passphrase);
  if (bits < FAIR) return 1;
  if (random >= STRONG) return 4;
  if (isSentence && random < GOOD) return "sentence";
  if (bits < GOOD) return 2;
  return random >= GOOD ? 3 : "words";
}

export function strength(passphrase: string): Level {
  const found = verdict(passphrase);
  return found === "sentence" ? 2 : found === "words" ? 3 : found;
}
