import Files
import Foundation
import Synchronization

/// An image file of any number of bands that is read by windows, as what stands in it.
///
/// TIFF and `.npy` files are read from the disk as windows are asked for, so that they may be larger than
/// memory; other formats are decoded whole. Any thread may ask.
public final class RasterFile: Sendable {
  /// The numbers that a file's samples are given as.
  public enum Kind: String, Sendable {
    /// 8 bits.
    case uint8
    /// 16 bits.
    case uint16
    /// Everything else.
    case float
  }

  /// The file.
  public let path: String
  /// The columns and rows.
  public let size: Size
  /// The samples of a pixel.
  public let bands: Int
  /// What the samples are given as.
  public let kind: Kind
  /// Where the image lies on earth, if it is known.
  public let place: GeoReference?
  /// The sample that stands for nothing, as the file notes it.
  public let noData: Double?
  /// Whether a window is read without the rest.
  public let isWindowed: Bool
  /// Whether the first three bands are red, green and blue, or the first is grey.
  public let isPicture: Bool
  /// Whether it is a TIFF of one band of values without a sign, which labels are read from by windows.
  public let isLabels: Bool

  /// The band of a picture that is its opacity, from 0.
  let opacity: Int?

  private let source: Mutex<Source>

  /// What reads the samples; one thread at a time.
  private struct Source: @unchecked Sendable { let reader: any RasterReader }

  /// Opens a file; of TIFF and `.npy` only the header is read.
  ///
  /// - Parameters:
  ///   - path: The file, which the content decides on, not the name.
  ///   - page: The page of a TIFF, or the first index of an array of four dimensions; from 1.
  ///   - budget: What a file that is decoded whole may take in bytes.
  ///   - orientation: Whether photographs are turned as EXIF says; TIFF and arrays never are.
  ///   - cacheBytes: What decoded strips and tiles may take that further windows may need.
  /// - Throws: ``ImageError`` if it is no readable image, has no such page or passes the budget.
  public convenience init(
    _ path: String, page: Int = 1, budget: Int = defaultImageBudget,
    orientation: ImageOrientation = .stored, cacheBytes: Int = 256 << 20
  ) throws {
    var beginning = FileSystem.beginning(path, 16)
    // What cannot be read is told of by the one who reads it; TIFF and arrays may be of any length.
    if beginning.isEmpty { beginning = try readFile(path, upTo: 16) }
    let reader: any RasterReader
    if beginning.starts(with: NumPyRaster.magic) {
      reader = try NumPyRaster(path, page: page)
    } else if ImageFormat(beginning) == .tiff {
      reader = try TIFFRaster(
        TIFFFile(contentsOf: path), page: page, cacheBytes: cacheBytes)
    } else {
      reader = try Self.reader(
        readImageFile(path, budget), path, page, budget, orientation, cacheBytes)
    }
    try self.init(path, reader, worldFile: GeoReference(worldFileOf: path))
  }

  /// Opens the bytes of a file; no file is looked at.
  ///
  /// - Parameter name: What messages call it; otherwise as ``init(_:page:budget:orientation:cacheBytes:)``.
  /// - Throws: ``ImageError``.
  package convenience init(
    decoding bytes: [UInt8], named name: String, page: Int = 1, budget: Int = defaultImageBudget,
    orientation: ImageOrientation = .stored, cacheBytes: Int = 256 << 20
  ) throws {
    try self.init(
      name, Self.reader(bytes, name, page, budget, orientation, cacheBytes), worldFile: nil)
  }

  /// What reads bytes.
  private static func reader(
    _ bytes: [UInt8], _ name: String, _ page: Int, _ budget: Int, _ orientation: ImageOrientation,
    _ cacheBytes: Int
  ) throws -> any RasterReader {
    if bytes.starts(with: NumPyRaster.magic) { return try NumPyRaster(bytes, name, page: page) }
    if ImageFormat(bytes) == .tiff {
      return try TIFFRaster(TIFFFile(bytes, name), page: page, cacheBytes: cacheBytes)
    }
    guard page == 1 else {
      throw ImageError.unsupported(
        file: name, found: "of one page, expected a TIFF or an array with a page \(page)")
    }
    return try MemoryRaster(bytes, name, budget, orientation)
  }

  private init(
    _ path: String, _ reader: any RasterReader, worldFile: @autoclosure () -> GeoReference?
  ) throws {
    self.path = path
    (size, bands, kind) = (reader.size, reader.bands, reader.kind)
    guard size.width > 0, size.height > 0, bands > 0 else {
      throw ImageError.damaged(
        file: path, format: "image",
        reason: "it has \(size.width)x\(size.height) pixels of \(bands) bands")
    }
    place = reader.place ?? worldFile()
    noData = reader.noData
    (isWindowed, isPicture) = (reader.isWindowed, reader.isPicture)
    (isLabels, opacity) = (reader.isLabels, reader.opacity)
    source = Mutex(Source(reader: reader))
  }

  /// Whether a file is one that windows are read from without decoding it whole: a TIFF or a `.npy`.
  public static func isReadByWindows(_ path: String) -> Bool {
    let beginning = FileSystem.beginning(path, 16)
    return ImageFormat(beginning) == .tiff || beginning.starts(with: NumPyRaster.magic)
  }

  /// The samples of a window, (H, W, bands).
  ///
  /// - Parameters:
  ///   - window: The pixels, inside of the image.
  ///   - chosen: The bands, from 0, in the order in which they are wanted; nil for all.
  /// - Throws: ``ImageError`` if pixels are missing or cannot be decoded, or a band is not there.
  public func read(_ window: PixelWindow, bands chosen: [Int]? = nil) throws -> Raster {
    let chosen = chosen ?? Array(0..<bands)
    guard window.isInside(size) else {
      throw ImageError.unreadable(
        file: path,
        reason: "there is no window of \(window.size.width)x\(window.size.height) at (\(window.x),"
          + " \(window.y)) in \(size.width)x\(size.height) pixels")
    }
    if let missing = chosen.first(where: { !(0..<bands).contains($0) }) {
      throw ImageError.unsupported(
        file: path,
        found:
          "of \(bands) \(bands == 1 ? "band" : "bands"), expected a band \(missing + 1) as data.bands asks"
      )
    }
    try window.size.check(
      max(1, chosen.count) * (kind == .uint8 ? 1 : kind == .uint16 ? 2 : 4), .max, path)
    return Raster(
      size: window.size, bands: chosen.count,
      try source.withLock { try $0.reader.samples(window, chosen) })
  }
}

extension RasterFile {
  /// The values of labels in a window, exactly as they stand in the file; nil for a file that labels are not
  /// read from by windows, which ``LabelImage`` may read whole.
  ///
  /// - Throws: ``ImageError`` if pixels are missing or cannot be decoded.
  public func labels(_ window: PixelWindow) throws -> LabelImage? {
    guard isLabels else { return nil }
    let (width, height) = (window.size.width, window.size.height)
    switch try read(window).samples {
    case .uint8(let samples):
      return LabelImage(width: width, height: height, values: samples.map(UInt16.init))
    case .uint16(let samples): return LabelImage(width: width, height: height, values: samples)
    case .float: return nil
    }
  }

  /// Windows of the image's width, from top to bottom, of about 16 million samples each.
  public var strips: [PixelWindow] {
    let rows = max(1, (1 << 24) / max(1, size.width * bands))
    return stride(from: 0, to: size.height, by: rows).map {
      PixelWindow(x: 0, y: $0, size: Size(width: size.width, height: min(rows, size.height - $0)))
    }
  }
}

/// What reads the samples of one kind of file.
protocol RasterReader: AnyObject {
  var size: Size { get }
  var bands: Int { get }
  var kind: RasterFile.Kind { get }
  var place: GeoReference? { get }
  var noData: Double? { get }
  var isWindowed: Bool { get }
  var isPicture: Bool { get }
  var isLabels: Bool { get }
  var opacity: Int? { get }
  /// The samples of a window in the image, interleaved, of bands that there are.
  func samples(_ window: PixelWindow, _ bands: [Int]) throws -> Raster.Samples
}

extension RasterReader {
  var place: GeoReference? { nil }
  var noData: Double? { nil }
  var opacity: Int? { nil }
}
