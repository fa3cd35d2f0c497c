/// A width and a height in pixels.
public struct Size: Sendable, Hashable {
  /// The number of columns.
  public var width: Int
  /// The number of rows.
  public var height: Int

  /// A size of `width` columns and `height` rows.
  public init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }
}

/// A picture of 8-bit samples, interleaved and row-major: (H, W, C).
///
/// One channel is grey, three are red, green and blue, four add opacity. An image of other bands, or of
/// more bits, is the picture that people are shown of it, with its ``levels`` beside.
public struct Image: Sendable, Equatable {
  /// The number of columns and rows.
  public let size: Size
  /// The number of samples of a pixel: 1, 3 or 4.
  public let channels: Int
  /// The samples, `width * height * channels` of them.
  public var pixels: [UInt8]
  /// What a network sees where that is not the picture: any number of bands, read by a ``BandPlan``.
  public let levels: Levels?

  /// The number of columns.
  public var width: Int { size.width }
  /// The number of rows.
  public var height: Int { size.height }

  /// A picture made of `pixels`, whose count must be `width * height * channels`.
  public init(width: Int, height: Int, channels: Int = 3, pixels: [UInt8]) {
    self.init(width: width, height: height, channels: channels, pixels: pixels, levels: nil)
  }

  /// A picture of levels, which are of its size.
  init(width: Int, height: Int, channels: Int, pixels: [UInt8], levels: Levels?) {
    precondition(pixels.count == width * height * channels, "pixels do not fill the picture")
    size = Size(width: width, height: height)
    self.channels = channels
    self.pixels = pixels
    self.levels = levels
  }
}

/// A label file's values, exactly as they stand in the file: one integer a pixel, row-major.
public struct LabelImage: Sendable, Equatable {
  /// The number of columns and rows.
  public let size: Size
  /// The values, `width * height` of them.
  public var values: [UInt16]

  /// The number of columns.
  public var width: Int { size.width }
  /// The number of rows.
  public var height: Int { size.height }

  /// Labels made of `values`, whose count must be `width * height`.
  public init(width: Int, height: Int, values: [UInt16]) {
    precondition(values.count == width * height, "values do not fill the picture")
    size = Size(width: width, height: height)
    self.values = values
  }
}

/// A colour of 8 bits a component.
public struct Color: Sendable, Hashable {
  /// The component's intensity, 0 to 255.
  public var red, green, blue: UInt8

  /// The colour of these components.
  public init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }
}
