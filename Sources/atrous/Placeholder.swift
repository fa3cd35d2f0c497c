import Parity
@main enum Placeholder {
  static func main() {
    for f in CommandLine.arguments.dropFirst() {
      do {
        let r = try Parity.check(f); print(r.agrees ? "ok  " : "FAIL", r.model, r.checked, r.worst);
        for d in r.disagreements.prefix(8) { print("   ", d) }
      } catch { print(f, error) }
    }
  }
}
