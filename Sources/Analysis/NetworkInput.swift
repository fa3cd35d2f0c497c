import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import Torch

/// The part of a picture that a network sees, of exactly some size.
///
/// It lies around the picture's middle, or a pixel as far as the picture reaches. A picture that is too small is
/// enlarged first.
package struct PictureCut {
  /// The size of the picture, enlarged if need be.
  let whole: Size
  /// The first column and row of the cut, in pixels of the picture, enlarged if need be.
  package let x, y: Int
  private let size: Size
  /// The pixel of the cut that is nearest to the given pixel of the picture; the middle without one.
  package let target: (x: Int, y: Int)

  /// The cut of a picture of `picture` around `pixel`, or its middle.
  package init(_ picture: Size, to size: Size, around pixel: (x: Int, y: Int)? = nil) {
    let (width, height) = (Double(picture.width), Double(picture.height))
    let scale = max(1, Double(size.width) / width, Double(size.height) / height)
    whole =
      scale > 1
      ? Size(
        width: max(size.width, Int((width * scale).rounded())),
        height: max(size.height, Int((height * scale).rounded()))) : picture
    self.size = size
    let spare = (x: whole.width - size.width, y: whole.height - size.height)
    guard let pixel else {
      (x, y) = (spare.x / 2, spare.y / 2)
      target = (size.width / 2, size.height / 2)
      return
    }
    let place = (
      x: pixel.x * whole.width / picture.width, y: pixel.y * whole.height / picture.height
    )
    x = min(max(place.x - size.width / 2, 0), spare.x)
    y = min(max(place.y - size.height / 2, 0), spare.y)
    target = (place.x - x, place.y - y)
  }

  func callAsFunction(_ image: Image) -> Image {
    (whole == image.size ? image : image.resized(to: whole)).cropped(x: x, y: y, size: size)
  }
}

/// The part of a photograph that a network sees, which is resized for it first.
package struct SeenCut {
  /// The photograph's size.
  private let photograph: Size
  private let scale: SeenScale
  private let cut: PictureCut
  private let size: Size

  /// The pixel of the network's input that shows the given pixel of the photograph; the middle without one.
  package var target: (x: Int, y: Int) { cut.target }

  /// The cut of `size` of a photograph around one of its pixels, or around its middle.
  package init(
    _ photograph: Size, _ scale: SeenScale, to size: Size, around pixel: (x: Int, y: Int)? = nil
  ) {
    (self.photograph, self.scale, self.size) = (photograph, scale, size)
    let whole = scale.size(of: photograph)
    cut = PictureCut(
      whole, to: size,
      around: pixel.map {
        ($0.x * whole.width / photograph.width, $0.y * whole.height / photograph.height)
      })
  }

  /// The pixels of the photograph that are seen, some only in part.
  package var part: PixelWindow {
    func span(_ first: Int, _ count: Int, _ whole: Int, _ own: Int) -> Range<Int> {
      let end = min(own, ((first + count) * own + whole - 1) / whole)
      return min(first * own / whole, end - 1)..<end
    }
    let x = span(cut.x, size.width, cut.whole.width, photograph.width)
    let y = span(cut.y, size.height, cut.whole.height, photograph.height)
    return PixelWindow(
      x: x.lowerBound, y: y.lowerBound, size: Size(width: x.count, height: y.count))
  }

  /// The photograph's pixels that one of the input is as wide and as high as.
  package var pitch: (x: Double, y: Double) {
    (
      Double(photograph.width) / Double(cut.whole.width),
      Double(photograph.height) / Double(cut.whole.height)
    )
  }

  /// What the network sees.
  func input(_ image: Image) -> Image { cut(scale(image)) }

  /// The part of the photograph as it is.
  func shown(_ image: Image) -> Image {
    image.cropped(x: part.x, y: part.y, size: part.size)
  }

  /// Numbers of the input's pixels, (H, W), as those of the part's: each is dealt out by area, so that the sum stays.
  package func mapped(_ values: [Float]) -> [Float] {
    let part = part
    func shares(_ first: Int, _ count: Int, _ pitch: Double, _ origin: Int, _ length: Int)
      -> [[(Int, Float)]]
    {
      (first..<first + count).map { at in
        // The pixel's ends in the input.
        let (low, high) = (
          Double(at) / pitch - Double(origin), Double(at + 1) / pitch - Double(origin)
        )
        return (max(0, Int(low))..<max(0, min(length, Int(high.rounded(.up))))).compactMap {
          let share = min(high, Double($0 + 1)) - max(low, Double($0))
          return share > 0 ? ($0, Float(share)) : nil
        }
      }
    }
    let columns = shares(part.x, part.size.width, pitch.x, cut.x, size.width)
    let rows = shares(part.y, part.size.height, pitch.y, cut.y, size.height)
    var across = [Float](repeating: 0, count: size.height * columns.count)
    for y in 0..<size.height {
      for (x, shares) in columns.enumerated() {
        for (from, share) in shares {
          across[y * columns.count + x] += share * values[y * size.width + from]
        }
      }
    }
    var out = [Float](repeating: 0, count: rows.count * columns.count)
    for (y, shares) in rows.enumerated() {
      for (from, share) in shares {
        for x in columns.indices {
          out[y * columns.count + x] += share * across[from * columns.count + x]
        }
      }
    }
    return out
  }
}

extension Image {
  /// The middle of the picture at exactly this size; a picture that is too small is enlarged first.
  func middle(_ target: Size) -> Image { PictureCut(size, to: target)(self) }
}

/// The images that an analysis looks at.
public struct ImageSource {
  /// What messages call them.
  public let name: String
  /// How many there are.
  public let count: Int
  private let make: (_ index: Int, _ size: Size) throws -> Tensor
  private var show: (_ index: Int, _ size: Size) throws -> Image? = { _, _ in nil }
  /// Where the input of a size lies in the photograph, of a single one that is resized for the network; nil for others.
  private var place: (_ size: Size) throws -> SeenCut? = { _ in nil }

  /// Images of a data set, resized as a network sees them, from their middle parts of the size asked for.
  public init(
    _ dataset: any Dataset, seen: SeenScale = .none, encoding: InputEncoding, device: Device = .cpu
  ) {
    name = "\(dataset.count) images of \(dataset.name)"
    count = dataset.count
    let cut = { (index: Int, size: Size) in seen(try dataset.load(index).image).middle(size) }
    make = { .input(try cut($0, $1).raster, encoding).to(device) }
    show = cut
  }

  /// Image files, resized as a network sees them, from their parts of the size asked for around a pixel, or around
  /// their middles; `plan` says which bands are seen.
  public init(
    _ files: [String], around pixel: (x: Int, y: Int)? = nil, seen: SeenScale = .none,
    plan: BandPlan? = nil, orientation: ImageOrientation = .applied, encoding: InputEncoding,
    device: Device = .cpu
  ) {
    self.init(
      files.count == 1 ? files[0].fileName : "\(files.count) images", files.count, around: pixel,
      seen, encoding, device
    ) { index in
      if let plan {
        return try Image(contentsOf: files[index], plan: plan, orientation: orientation)
      }
      return try Image(contentsOf: files[index], orientation: orientation).rgb
    }
  }

  /// One image that is in memory, resized as a network sees it, from its part of the size asked for around a pixel, or
  /// around its middle.
  package init(
    _ image: Image, named name: String, around pixel: (x: Int, y: Int)? = nil,
    seen: SeenScale = .none, encoding: InputEncoding, device: Device = .cpu
  ) {
    self.init(name, 1, around: pixel, seen, encoding, device) { _ in image }
  }

  private init(
    _ name: String, _ count: Int, around pixel: (x: Int, y: Int)?, _ seen: SeenScale,
    _ encoding: InputEncoding, _ device: Device, _ load: @escaping (Int) throws -> Image
  ) {
    (self.name, self.count) = (name, count)
    func cut(_ image: Image, _ size: Size) -> SeenCut {
      SeenCut(image.size, seen, to: size, around: pixel)
    }
    make = { index, size in
      let image = try load(index)
      return .input(cut(image, size).input(image).raster, encoding).to(device)
    }
    let isMapped = count == 1 && seen.size != nil
    show = { index, size in
      let image = try load(index)
      let own = cut(image, size)
      return isMapped ? own.shown(image) : own.input(image)
    }
    if isMapped { place = { cut(try load(0), $0) } }
  }

  /// Normal noise, drawn from libtorch's random numbers.
  public init(noise count: Int, channels: Int = 3, device: Device = .cpu) {
    name = "\(count) images of noise"
    self.count = count
    make = { _, size in
      let x = Tensor(filledWith: 0, [1, channels, size.height, size.width])
      x.drawNormal()
      return x.to(device)
    }
  }

  /// The image at a place as the network takes it, (1, C, H, W) of exactly `size`.
  ///
  /// - Throws: What reading it throws.
  public func input(_ index: Int, size: Size) throws -> Tensor { try make(index, size) }

  /// The image at a place as a person sees it; nil for noise.
  ///
  /// It has exactly `size`, but for a single photograph that is resized for the network, of which it is the part that
  /// is seen, as it is.
  /// - Throws: What reading it throws.
  public func picture(_ index: Int, size: Size) throws -> Image? { try show(index, size) }

  /// Where the input of `size` lies in a single photograph that is resized for the network; nil for others.
  ///
  /// - Throws: What reading it throws.
  func seenCut(_ size: Size) throws -> SeenCut? { try place(size) }
}
