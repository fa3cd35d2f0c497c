import ArgumentParser

/// A size as the command line has it: `480x360`.
struct ImageSize {
  let width: Int, height: Int

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  init?(_ text: String) {
    let parts = text.lowercased().split(separator: "x", omittingEmptySubsequences: false).map {
      Int($0)
    }
    guard parts.count == 2, let width = parts[0], let height = parts[1], width > 0, height > 0,
      width <= 65_535, height <= 65_535
    else { return nil }
    self.init(width: width, height: height)
  }

  /// A size, or a side of a square: `480x360` or `769`.
  init?(sideOrSize text: String) {
    guard let size = ImageSize(text) ?? ImageSize("\(text)x\(text)") else { return nil }
    self = size
  }
}

/// The size of the image that a network is looked at with.
struct ImageSizeOptions: ParsableArguments {
  private static let usual = ImageSize(width: 1024, height: 512)

  @Option(help: "The image's size, WIDTHxHEIGHT.")
  var size = "\(usual.width)x\(usual.height)"

  /// The size, which was found to be one when the command line was read.
  var area: ImageSize { ImageSize(size) ?? Self.usual }

  func validate() throws {
    guard ImageSize(size) != nil else {
      throw ValidationError("--size is '\(size)', expected WIDTHxHEIGHT such as 1024x512.")
    }
  }
}
