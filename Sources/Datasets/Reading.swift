import Imaging

extension Dataset {
  /// The image in a file as RGB.
  func readImage(_ path: String) throws -> Image {
    try Image(contentsOf: path)
  }

  /// The values in a label file, or those of its colours.
  func readLabel(_ path: String) throws -> LabelImage {
    try LabelImage(contentsOf: path, colors: labelColors)
  }
}
