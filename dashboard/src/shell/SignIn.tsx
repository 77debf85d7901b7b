/** Asks for a token, once in a tab. */
import { useState } from "preact/hooks";
import { isToken, refusal, signIn } from "../node/token";

export function SignIn() {
  const [said, setSaid] = useState<string | null>(null);
  function submit(event: SubmitEvent): void {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const text = String(new FormData(form).get("token") ?? "").trim();
    if (isToken(text)) signIn(text);
    else setSaid("A token has 43 letters, digits, - or _. Copy the whole line of the file.");
  }
  const wrong = said ?? refusal.value;
  return (
    <main id="main" class="signin" tabIndex={-1}>
      <h1>Your node, at a glance</h1>
      <p>
        On the node's machine, <code>jepanet dashboard --config node.toml</code> prints a link that opens this page. Or paste
        the token of the node: the line in <code>rpc/read.token</code> of its data directory.
      </p>
      <form onSubmit={submit}>
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autocomplete="off" spellcheck={false} required aria-invalid={wrong !== null} aria-describedby="token-said" />
        <button type="submit" class="primary">
          Open
        </button>
        <p id="token-said" class="wrong" role="alert">
          {wrong}
        </p>
      </form>
      <p class="muted">
        Of a whole project, without a node: <code>jepanet dashboard --rpc … --deployment … --peer …</code> prints a link too.
      </p>
      <p class="muted">
        It is kept in this tab until you close it, and sent to this node alone. To claim from here, add <code>--operate</code> to
        the command, or paste <code>rpc/operate.token</code>.
      </p>
    </main>
  );
}
