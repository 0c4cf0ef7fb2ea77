// Six words that two devices show to the same person, who compares them.

export function SixWords({ words }: { words: string }) {
  return (
    <ol class="six-words" dir="ltr" lang="en">
      {words.split(" ").map((word, index) => (
        <li key={index}>{word}</li>
      ))}
    </ol>
  );
}
