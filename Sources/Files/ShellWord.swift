extension String {
  /// The text as one word of a shell's command, in quotes where a shell would part it or read it otherwise.
  package var inShell: String {
    let isPlain = allSatisfy { $0.isLetter || $0.isNumber || "=,._-/:+@%".contains($0) }
    return isPlain && !isEmpty ? self : "'\(replacing("'", with: "'\\''"))'"
  }
}
