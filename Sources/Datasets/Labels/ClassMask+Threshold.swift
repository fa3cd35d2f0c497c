extension ClassMask {
  /// Makes pixels the foreground of two classes from a probability on, and the other class below.
  ///
  /// - Parameter confidence: The probability of each pixel's class, which becomes that of the new one.
  package mutating func apply(threshold: Float, foreground: UInt8, confidence: inout [Float]) {
    Self.apply(
      threshold: threshold, foreground: foreground, to: &classes, confidence: &confidence)
  }

  /// The same of the classes of some pixels.
  package static func apply(
    threshold: Float, foreground: UInt8, to classes: inout [UInt8], confidence: inout [Float]
  ) {
    precondition(confidence.count == classes.count, "a probability for each pixel")
    for i in classes.indices where classes[i] != LabelMap.ignored {
      let probability = classes[i] == foreground ? confidence[i] : 1 - confidence[i]
      let isForeground = probability >= threshold
      classes[i] = isForeground ? foreground : 1 - foreground
      confidence[i] = isForeground ? probability : 1 - probability
    }
  }
}
