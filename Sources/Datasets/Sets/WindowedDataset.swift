import Imaging
import Synchronization

/// The windows of a data set's images as samples of their own, of which only what they show is read.
///
/// TIFF and `.npy` images, and label TIFFs of one band, are read window by window; files of other formats are
/// decoded whole, of which the last is kept.
public struct WindowedDataset: Dataset {
  /// The data set whose images are cut.
  let whole: FileDataset
  private let places: [(item: Int, window: PixelWindow)]
  /// The size of the windows, but for those that are cut.
  public let windows: Size?
  private let files: OpenFiles

  /// The windows of `size` of all images, in rows from the upper left corner.
  ///
  /// - Parameters:
  ///   - whole: The images.
  ///   - size: The size of a window in pixels.
  ///   - areWhole: Whether windows that would reach over the right or the bottom are moved inside, so that
  ///     neighbours share pixels, as training wants it; else they are cut, and every pixel is in one.
  /// - Throws: `ImageError` for an image whose size cannot be read.
  public init(_ whole: FileDataset, size: Size, areWhole: Bool) throws {
    self.whole = whole
    files = OpenFiles(whole)
    var places: [(item: Int, window: PixelWindow)] = []
    for index in 0..<whole.count {
      let image = try files.size(whole.item(index).imagePath)
      func starts(_ length: Int, _ side: Int) -> [(start: Int, count: Int)] {
        stride(from: 0, to: length, by: side).map { start in
          guard start + side > length else { return (start, side) }
          return areWhole && length >= side ? (length - side, side) : (start, length - start)
        }
      }
      let count = (image.width / size.width + 1)
        .multipliedReportingOverflow(by: image.height / size.height + 1)
      guard !count.overflow, count.partialValue <= 1 << 26 else {
        throw DatasetError.invalidSetting(
          name: "data.windows", value: size.text,
          expected: "larger ones for \(whole.item(index).imagePath) of \(image.text) pixels")
      }
      for row in starts(image.height, size.height) {
        for column in starts(image.width, size.width) {
          places.append(
            (
              index,
              PixelWindow(
                x: column.start, y: row.start, size: Size(width: column.count, height: row.count))
            ))
        }
      }
    }
    (self.places, windows) = (places, size)
  }

  /// The whole set's name.
  public var name: String { whole.name }
  /// The whole set's label map.
  public var labelMap: LabelMap { whole.labelMap }
  /// The whole set's label colours.
  public var labelColors: [Color: UInt16]? { whole.labelColors }
  /// The whole set's reading of orientations.
  public var orientation: ImageOrientation { whole.orientation }
  /// The whole set's bands.
  public var bandPlan: BandPlan? { whole.bandPlan }
  /// What the whole set's listing passed over.
  public var notes: [String] { whole.notes }
  /// The number of windows.
  public var count: Int { places.count }

  /// The image's files, and a name with the window's first column and row.
  public func item(_ index: Int) -> Item {
    let (item, window) = (whole.item(places[index].item), places[index].window)
    return Item(
      name: "\(item.name)_x\(window.x)_y\(window.y)", imagePath: item.imagePath,
      labelPath: item.labelPath)
  }

  /// Reads a window.
  public func load(_ index: Int) throws -> Sample {
    guard places.indices.contains(index) else {
      throw DatasetError.indexOutOfRange(dataset: name, index: index, count: count)
    }
    let (item, window) = (item(index), places[index].window)
    let image = try files.image(item.imagePath, window)
    guard let labelPath = item.labelPath else {
      return Sample(
        index: index, name: item.name, imagePath: item.imagePath, image: image,
        mask: ClassMask(size: image.size))
    }
    let label = try files.label(labelPath, of: item.imagePath, window)
    return Sample(
      index: index, name: item.name, imagePath: item.imagePath, labelPath: labelPath, image: image,
      mask: try labelMap.classes(of: label, file: labelPath).ignoring(image.missing))
  }

  /// Reads a window's mask.
  public func loadMask(_ index: Int) throws -> ClassMask? {
    guard places.indices.contains(index) else {
      throw DatasetError.indexOutOfRange(dataset: name, index: index, count: count)
    }
    let item = item(index)
    guard let labelPath = item.labelPath else { return nil }
    let label = try files.label(labelPath, of: item.imagePath, places[index].window)
    return try labelMap.classes(of: label, file: labelPath)
  }
}

/// The files of windows: those that can be read by windows stay open, of the others the last is kept decoded.
private final class OpenFiles: Sendable {
  private struct State {
    var rasters: [String: RasterFile] = [:]
    var order: [String] = []
    var image: (path: String, image: Image)?
    var label: (path: String, label: LabelImage)?
  }
  private let dataset: FileDataset
  private let state = Mutex(State())
  /// The most files that are held open, each with a few decoded tiles.
  private static let limit = 16

  init(_ dataset: FileDataset) { self.dataset = dataset }

  /// The size of an image as samples have it.
  func size(_ path: String) throws -> Size {
    if let raster = try raster(path) { return raster.size }
    if let kept = state.withLock({ $0.image }), kept.path == path { return kept.image.size }
    return try ImageInfo(contentsOf: path, orientation: dataset.orientation).size
  }

  func image(_ path: String, _ window: PixelWindow) throws -> Image {
    if let raster = try raster(path) { return try raster.image(window, plan: dataset.bandPlan) }
    let image: Image
    if let kept = state.withLock({ $0.image }), kept.path == path {
      image = kept.image
    } else {
      image = try dataset.readImage(path)
      state.withLock { $0.image = (path, image) }
    }
    return image.cropped(x: window.x, y: window.y, size: window.size)
  }

  func label(_ path: String, of image: String, _ window: PixelWindow) throws -> LabelImage {
    let size = try size(image)
    func check(_ label: Size) throws {
      try checkSizes(
        image: image, size, label: path, label, orientation: dataset.orientation,
        origin: dataset.labelMap.origin)
    }
    if dataset.labelColors == nil, RasterFile.isReadByWindows(path) {
      let raster = try opened(path, page: 1)
      try check(raster.size)
      if let labels = try raster.labels(window) { return labels }
    }
    let whole: LabelImage
    if let kept = state.withLock({ $0.label }), kept.path == path {
      whole = kept.label
    } else {
      whole = try dataset.readLabel(path)
      state.withLock { $0.label = (path, whole) }
    }
    try check(whole.size)
    return whole.cropped(window)
  }

  /// An image file that is read by windows; nil for one that has to be decoded whole.
  private func raster(_ path: String) throws -> RasterFile? {
    guard RasterFile.isReadByWindows(path) else { return nil }
    let raster = try opened(path, page: dataset.bandPlan?.page ?? 1)
    return dataset.bandPlan != nil || raster.isPicture ? raster : nil
  }

  private func opened(_ path: String, page: Int) throws -> RasterFile {
    if let open = state.withLock({ $0.rasters[path] }) { return open }
    let raster = try RasterFile(path, page: page, cacheBytes: 32 << 20)
    state.withLock { state in
      guard state.rasters[path] == nil else { return }
      state.rasters[path] = raster
      state.order.append(path)
      if state.order.count > Self.limit { state.rasters[state.order.removeFirst()] = nil }
    }
    return raster
  }
}
