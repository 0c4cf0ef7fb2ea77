// How hard a passphrase is to guess, said carefully: it would rather call a good one weak than a weak one good.
//
// It counts what a guesser has to try: a word or a run of one kind of characters as one choice among few, random characters as one
// among their alphabet. It knows no dictionary, so a word never counts more than one of ten thousand.

const WORD_BITS = 13;

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
  // What looks like a word is one; a capital or a digit more is little work.
  if (/^\p{L}\p{Ll}+$/u.test(piece) && piece.length <= 12) return Math.min(WORD_BITS, piece.length * 4);
  if (/^(19|20)\d\d$/.test(piece)) return 6;
  const distinct = new Set(piece).size;
  return Math.log2(alphabet(piece)) * Math.min(piece.length, distinct * 1.5);
}

/** Bits that a guesser has to go through, at most. */
export function bits(passphrase: string): number {
  const seen = new Set<string>();
  let sum = 0;
  const pieces = passphrase.replace(KNOWN, " ").match(/\p{L}+|\p{N}+|[^\p{L}\p{N}\s]+/gu) ?? [];
  const isMixed = !/\s/.test(passphrase) && pieces.length > 4;
  for (const piece of isMixed ? [pieces.join("")] : pieces) {
    const known = piece.toLowerCase();
    sum += seen.has(known) ? 1 : bitsOfPiece(piece);
    seen.add(known);
  }
  return sum;
}

/** 0: refused; 1 weak, 2 fair, 3 good, 4 strong, at the pace of Argon2id with 64 MiB and three passes. */
export function strength(passphrase: string): 0 | 1 | 2 | 3 | 4 {
  if ([...passphrase].length < 8) return 0;
  const found = bits(passphrase);
  if (found < 36) return 1;
  if (found < 50) return 2;
  return found < 64 ? 3 : 4;
}
