import Imaging

/// An object of a mask with its outlines.
struct Outline {
  /// The class.
  var label: Int
  /// The parts of the object that do not touch by a side.
  var regions: [Region]
  /// How sure a network is of it, 0 to 1.
  var score: Double?

  /// The number of pixels.
  var area: Int { regions.reduce(0) { $0 + $1.area } }

  /// The least columns and rows around it: x, y, width, height.
  var box: (x: Int, y: Int, width: Int, height: Int) {
    let corners = regions.flatMap(\.outline)
    let (left, top) = (corners.map(\.x).min() ?? 0, corners.map(\.y).min() ?? 0)
    return (left, top, (corners.map(\.x).max() ?? 0) - left, (corners.map(\.y).max() ?? 0) - top)
  }
}

extension AnnotationSet {
  /// The objects of an image: for shapes what can be seen of each, for pictures the regions of each class.
  func outlines(of image: Image) throws -> (size: Size, outlines: [Outline]) {
    if let shapes = image.content.shapes {
      // Each shape has its number; what is ignored, or covered by nothing, has none.
      let none = UInt16.max
      var canvas = try drawn(shapes, of: image, background: none) { place, shape in
        shape.label < 0 ? none : UInt16(place)
      }
      if let background {
        // Pixels that nobody drew are of a class, too.
        let number = UInt16(shapes.count)
        let mask = try self.mask(of: image)
        for i in canvas.pixels.indices
        where canvas.pixels[i] == none && mask.values[i] == UInt16(background) {
          canvas.pixels[i] = number
        }
      }
      let parts = Dictionary(grouping: Tracer.regions(of: canvas, background: none), by: \.value)
      let outlines = parts.keys.sorted().map { number in
        Outline(
          label: Int(number) < shapes.count ? shapes[Int(number)].label : background ?? 0,
          regions: parts[number] ?? [])
      }
      return (Size(width: canvas.width, height: canvas.height), outlines)
    }
    let mask = try mask(of: image)
    return (mask.size, Self.outlines(of: mask))
  }

  /// The regions of each class of a mask, each an object.
  static func outlines(of mask: LabelImage) -> [Outline] {
    let canvas = PixelCanvas(mask)
    return Tracer.regions(of: canvas, background: ignoredValue).map {
      Outline(label: Int($0.value), regions: [$0])
    }
  }
}

extension PixelCanvas {
  /// The pixels of a label image.
  init(_ labels: LabelImage) {
    (width, height, pixels) = (labels.width, labels.height, labels.values)
  }
}
