import Annotations
import Imaging

extension AnnotationSet {
  /// The label files of data sets as annotations, a part for each.
  ///
  /// - Throws: `DatasetError.invalidLabelMap` where the sets have different classes, or none.
  package init(_ datasets: [(name: String, dataset: FileDataset)]) throws {
    guard let first = datasets.first?.dataset else {
      throw DatasetError.invalidLabelMap(name: "the data", reason: "has no images; expected some")
    }
    var images: [AnnotationSet.Image] = []
    for (name, dataset) in datasets {
      guard dataset.labelMap.classes == first.labelMap.classes else {
        throw DatasetError.invalidLabelMap(
          name: dataset.labelMap.name, reason: "has other classes than \(first.labelMap.name)")
      }
      _ = try dataset.paired()
      for index in 0..<dataset.count {
        let item = dataset.item(index)
        let mask: @Sendable () throws -> LabelImage? = {
          guard let mask = try dataset.loadMask(index) else { return nil }
          return LabelImage(
            width: mask.width, height: mask.height,
            values: mask.classes.map {
              $0 == LabelMap.ignored ? AnnotationSet.ignoredValue : UInt16($0)
            })
        }
        images.append(
          .init(
            name: item.name, path: item.imagePath, part: name == "all" ? "" : name,
            file: item.labelPath ?? item.imagePath, content: .mask(mask)))
      }
    }
    self.init(
      .voc, classes: first.labelMap.classes.map { .init($0.name, $0.color) }, images: images,
      rule: .coco)
  }
}
