// A QR code, drawn by the program and painted here as squares. Always dark on light, whatever the colours of the page.

import { useEffect, useState } from "preact/hooks";
import type { QrContent, QrModules } from "../../../crates/app/bindings/rpc.ts";
import { call } from "../state/app.ts";

const QUIET = 3;

export function QrCode({ content, label }: { content: QrContent; label: string }) {
  const [code, setCode] = useState<QrModules | null>(null);
  const key = JSON.stringify(content);
  useEffect(() => {
    let wanted = true;
    call("host.qr", content).then(
      (drawn) => {
        if (wanted) setCode(drawn);
      },
      () => undefined,
    );
    return () => {
      wanted = false;
    };
  }, [key]);
  if (code === null) return <div class="qr" />;
  const side = code.size + 2 * QUIET;
  let path = "";
  for (let at = 0; at < code.modules.length; at += 1) {
    if (code.modules[at] === "1") path += `M${(at % code.size) + QUIET} ${Math.floor(at / code.size) + QUIET}h1v1h-1z`;
  }
  return (
    <svg class="qr" viewBox={`0 0 ${side} ${side}`} role="img" aria-label={label} shape-rendering="crispEdges">
      <rect width={side} height={side} class="qr-light" />
      <path d={path} class="qr-dark" />
    </svg>
  );
}
