import Files
import Foundation
import Imaging

/// What a tool's files say of images: classes, and for each image the shapes or the label file.
public struct AnnotationSet: Sendable {
  /// A class by name, with a colour where the files have one.
  public struct Class: Sendable, Hashable {
    /// The name.
    public var name: String
    /// The colour, if the files give one.
    public var color: Color?

    /// A class of this name.
    public init(_ name: String, _ color: Color? = nil) { (self.name, self.color) = (name, color) }
  }

  /// What is known of the classes of an image's pixels.
  public enum Content: Sendable {
    /// Shapes in the order in which they are drawn.
    case shapes([Shape])
    /// Shapes that are made as they are asked for, from what takes less memory.
    case deferred(@Sendable () -> [Shape])
    /// Pictures of labels.
    case pictures(LabelPictures)
    /// The classes themselves, made as they are asked for; nil for nothing.
    case mask(@Sendable () throws -> LabelImage?)
    /// Nothing: the class of pixels that nobody labelled.
    case nothing

    /// The shapes in the order in which they are drawn; nil for pictures, masks and nothing.
    public var shapes: [Shape]? {
      switch self {
      case .shapes(let shapes): shapes
      case .deferred(let made): made()
      case .pictures, .mask, .nothing: nil
      }
    }
  }

  /// An image and what is known of it.
  public struct Image: Sendable {
    /// The name without folders of splits and without ending, unique in its part.
    public var name: String
    /// The image file; where it is not there, where it should be.
    public var path: String
    /// The part of the data, such as `train`; empty where the files have no parts.
    public var part: String
    /// The size, if the annotations tell it.
    public var size: Size?
    /// The file that the annotations come from.
    public var file: String
    /// The classes of its pixels.
    public var content: Content

    /// An image.
    public init(
      name: String, path: String, part: String = "", size: Size? = nil, file: String,
      content: Content
    ) {
      (self.name, self.path, self.part, self.size) = (name, path, part, size)
      (self.file, self.content) = (file, content)
    }
  }

  /// How the files lie.
  public var format: AnnotationFormat
  /// The classes in the order of their numbers.
  public var classes: [Class]
  /// The images.
  public var images: [Image]
  /// How corners become pixels.
  public var rule: RasterRule
  /// Whether shapes of more pixels lie under those of fewer, whatever their order.
  public var isSmallerAbove = false
  /// The class of pixels that nothing covers; nil where they count nowhere.
  public var background: Int?
  /// What looks wrong but can be meant.
  public var notes: [String] = []

  /// A set of annotations.
  public init(
    _ format: AnnotationFormat, classes: [Class], images: [Image], rule: RasterRule,
    background: Int? = nil
  ) {
    (self.format, self.classes, self.images) = (format, classes, images)
    (self.rule, self.background) = (rule, background)
  }

  /// The value of pixels that count nowhere.
  public static let ignoredValue: UInt16 = 65_535
  /// The most pixels of an image: what a label image of 1 GiB has.
  static let mostPixels = 1 << 29

  /// The parts that there are, `train`, `val` and `test` first.
  public var parts: [String] {
    let all = Set(images.map(\.part))
    let usual = ["train", "val", "test"].filter(all.contains)
    return usual + all.subtracting(usual).sorted()
  }
}

extension AnnotationSet {
  /// The size of an image: what its annotations say, or else its file.
  ///
  /// - Throws: `ImageError` for a file that is no image; ``AnnotationError`` for an impossible size.
  public func size(of image: Image) throws -> Size {
    let size = try image.size ?? ImageInfo(contentsOf: image.path).size
    guard size.width > 0, size.height > 0, size.width <= 1 << 20, size.height <= 1 << 20,
      size.width * size.height <= Self.mostPixels
    else {
      throw AnnotationError(
        image.file, image.name, found: "the image has \(size.width)×\(size.height) pixels",
        expected: "1 to \(Self.mostPixels) pixels")
    }
    return size
  }

  /// The class of every pixel of an image, or ``ignoredValue``.
  ///
  /// - Throws: ``AnnotationError``, `ImageError`.
  public func mask(of image: Image) throws -> LabelImage {
    let nothing = background.map { UInt16($0) } ?? Self.ignoredValue
    func value(_ label: Int) -> UInt16 { label < 0 ? Self.ignoredValue : UInt16(label) }
    switch image.content {
    case .nothing:
      let size = try size(of: image)
      return LabelImage(
        width: size.width, height: size.height,
        values: Array(repeating: nothing, count: size.width * size.height))
    case .mask(let made):
      if let mask = try made() { return mask }
      var empty = image
      empty.content = .nothing
      return try mask(of: empty)
    case .pictures(let pictures):
      return try pictures.mask(size: { try size(of: image) }, background: nothing, image: image)
    case .shapes, .deferred:
      var canvas = try drawn(image.content.shapes ?? [], of: image, background: nothing) {
        _, shape in
        value(shape.label)
      }
      return LabelImage(
        width: canvas.width, height: canvas.height, values: canvas.takePixels())
    }
  }

  /// Draws shapes, each with a value of its own.
  func drawn(
    _ shapes: [Shape], of image: Image, background: UInt16,
    _ value: (Int, Shape) -> UInt16
  ) throws -> PixelCanvas {
    let size = try size(of: image)
    guard shapes.count <= Shape.most else {
      throw AnnotationError(
        image.file, image.name, found: "has \(shapes.count) shapes",
        expected: "at most \(Shape.most)")
    }
    var canvas = PixelCanvas(width: size.width, height: size.height, filledWith: background)
    var drawing = Drawing(rule)
    for place in try order(shapes, size, image.file) {
      try drawing.fill(
        shapes[place], on: &canvas, value(place, shapes[place]), file: image.file)
    }
    return canvas
  }

  /// The order in which shapes are drawn.
  private func order(_ shapes: [Shape], _ size: Size, _ file: String) throws -> [Int] {
    if isSmallerAbove {
      var drawing = Drawing(rule)
      var areas: [Int] = []
      for shape in shapes {
        var canvas = PixelCanvas(width: size.width, height: size.height, filledWith: 0)
        try drawing.fill(shape, on: &canvas, 1, file: file)
        areas.append(canvas.pixels.reduce(0) { $0 + Int($1) })
      }
      return shapes.indices.sorted { (-areas[$0], $0) < (-areas[$1], $1) }
    }
    guard shapes.contains(where: { $0.layer != shapes[0].layer }) else {
      return Array(shapes.indices)
    }
    return shapes.indices.sorted { (shapes[$0].layer, $0) < (shapes[$1].layer, $1) }
  }
}

extension PixelCanvas {
  /// The pixels, which the canvas gives away.
  mutating func takePixels() -> [UInt16] {
    let taken = pixels
    pixels = []
    return taken
  }
}
