import Datasets
import Imaging

/// Samples as training sees them: each image beside its label over it, with a legend.
package struct ContactSheet {
  /// The samples of the sheet.
  package var count = 12
  /// The samples of a row.
  package var columns = 3
  /// The longer side of a picture, in pixels; smaller pictures stay as they are.
  package var side = 320
  /// How much of the label is seen over the image, 0 to 1.
  package var opacity = 0.55
  /// The epoch whose random draws are shown.
  package var epoch = 0

  /// A sheet of these settings.
  package init() {}

  /// The sheet of samples spread over a data set, after `pipeline`.
  ///
  /// Which samples are shown does not depend on how often training sees them; where they are cut does.
  /// The legend names the classes that the sheet shows. The background is clear.
  /// - Throws: What reading a sample throws.
  package func image(
    of dataset: some Dataset, pipeline: Pipeline, sampling: Sampling = .uniform,
    encoding: InputEncoding, seed: UInt64
  ) throws -> Image {
    let crops = Sampling(crops: sampling.crops, classes: sampling.classes)
    let loader = try Loader(
      dataset, pipeline: pipeline, encoding: encoding, sampling: crops, seed: seed)
    let total = dataset.count
    let count = min(max(count, 1), total)
    var shown = ShownClasses()
    var parts: [(caption: String, image: Image)] = []
    let (palette, clear) = (dataset.labelMap.palette, dataset.labelMap.background)
    for index in (0..<count).map({ $0 * total / count }) {
      let sample = try loader.sample(index, epoch: epoch)
      let size = sample.image.size
      let reduced = try Pipeline(
        max(size.width, size.height) > side
          ? [.resizeToFit(Size(width: side, height: side))] : [])
      var random = SampleRandom(seed: 0, epoch: 0, index: 0)
      let (image, mask) = reduced(sample.image, sample.mask, random: &random)
      shown.add(mask)
      parts.append(("\(sample.name) \(size.width)×\(size.height)", image))
      parts.append(
        (
          "",
          image.overlaid(classes: mask.classes, palette: palette, opacity: opacity, clear: clear)
        ))
    }
    return Image.panel(
      parts, columns: 2 * max(min(columns, count), 1), legend: dataset.labelMap.legend(of: shown))
  }
}
