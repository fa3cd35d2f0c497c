import Datasets
import Testing

@testable import Evaluation

/// The definitions of other libraries; figures are what the packages print for the same labels, in the versions that
/// `ScoreLibrary` names.
@Suite("Scores by other libraries' definitions")
struct LibraryScoreTests {
  /// The counts of an image of these labels.
  private func image(_ truth: [UInt8], _ prediction: [UInt8], classes: Int) -> ImageCounts {
    var matrix = ConfusionMatrix(classes: classes)
    matrix.add(truth: truth, prediction: prediction)
    return ImageCounts(matrix, name: "image")
  }

  private func value(_ name: String, _ library: ScoreLibrary, _ images: [ImageCounts]) -> Double? {
    LibraryScores(images, by: [library]).figures.first { $0.name == name }?.value
  }

  private func isNear(_ a: Double?, _ b: Double) -> Bool { a.map { abs($0 - b) < 5e-5 } ?? false }

  @Test(
    "one prediction of three of five classes gets as many numbers as there are rules",
    arguments: [
      (ScoreLibrary.sklearn, "jaccard_score(labels=range(K), average=\"macro\")", 0.3533),
      (.sklearn, "jaccard_score(average=\"macro\")", 0.5889),
      (.torchmetrics, "MulticlassJaccardIndex(average=\"macro\")", 0.5889),
      (.torchmetrics, "segmentation.MeanIoU(input_format=\"index\")", 0.5889),
      (.mmseg, "mIoU", 0.5889), (.keras, "MeanIoU(num_classes=K)", 0.5889),
      (.monai, "MeanIoU()", 0.5889), (.monai, "MeanIoU(reduction=\"mean_batch\").mean()", 0.3533),
      (.monai, "MeanIoU(ignore_empty=False)", 0.7533),
      (.smp, "iou_score(reduction=\"macro\")", 0.7533),
      (.smp, "iou_score(reduction=\"micro\")", 0.6),
      (.ultralytics, "mIoU", 0.5889), (.cityscapes, "averageScoreClasses", 0.5889),
    ])
  func absentClasses(_ library: ScoreLibrary, _ name: String, _ expected: Double) {
    let one = image([0, 0, 0, 1, 1, 1, 1, 2], [0, 0, 1, 1, 1, 1, 2, 2], classes: 5)
    #expect(isNear(value(name, library, [one]), expected))
  }

  @Test("a class that is only predicted counts 0, is left out, or costs nothing")
  func onlyPredicted() {
    let images = [
      image([0, 0, 0, 0], [0, 0, 0, 0], classes: 2),
      image([0, 0, 0, 0], [0, 0, 0, 0], classes: 2),
      image([0, 0, 0, 0], [0, 0, 0, 1], classes: 2),
    ]
    #expect(isNear(value("mIoU", .mmseg, images), 11.0 / 24))
    #expect(isNear(value("mIoU", .ultralytics, images), 11.0 / 12))
    #expect(isNear(value("MeanIoU()", .monai, images), (1 + 1 + 0.75) / 3))
    // Each class of each image has a vote: 1, 1, 3/4 and 0.
    #expect(
      isNear(
        value("segmentation.MeanIoU(input_format=\"index\")", .torchmetrics, images), 2.75 / 4))
  }

  @Test("images have a vote each, or their pixels are pooled")
  func votes() {
    let images = [
      image([0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 1], classes: 2),
      image([0, 1], [1, 0], classes: 2),
    ]
    // Pooled: 4 of 6 and 2 of 4; by image: 1 and 0.
    #expect(isNear(value("iou_score(reduction=\"macro\")", .smp, images), (4.0 / 6 + 0.5) / 2))
    #expect(isNear(value("iou_score(reduction=\"macro-imagewise\")", .smp, images), 0.5))
    #expect(isNear(value("iou_score(reduction=\"micro\")", .smp, images), 0.6))
    #expect(isNear(value("iou_score(reduction=\"micro-imagewise\")", .smp, images), 0.5))
  }

  @Test("what is predicted where the truth is ignored counts nowhere, and void excuses a segment")
  func ignored() {
    // Class 1 is predicted on one pixel of truth and three that are ignored.
    let one = image([0, 0, 255, 255, 255, 0], [0, 0, 1, 1, 1, 1], classes: 2)
    #expect(one.predictedOnIgnored == [0, 3])
    #expect(isNear(value("mIoU", .mmseg, [one]), (2.0 / 3) / 2))
    #expect(isNear(value("PQ", .panoptic, [one]), 2.0 / 3))
    // Exactly half in the void is a mistake.
    let half = image([0, 0, 0, 255, 0], [0, 0, 0, 1, 1], classes: 2)
    #expect(isNear(value("PQ", .panoptic, [half]), 0.75 / 2))
  }

  @Test("a prediction that is no class misses, but in Ultralytics is left out")
  func noClass() {
    let one = image([0, 0, 1, 1], [0, 9, 1, 1], classes: 2)
    #expect(isNear(value("mIoU", .mmseg, [one]), 0.75))
    #expect(isNear(value("mIoU", .ultralytics, [one]), 1))
    #expect(isNear(value("PixAcc", .ultralytics, [one]), 1))
  }

  @Test("nothing to score gives nan where the library gives nan")
  func nothing() {
    let none = image([255, 255], [0, 1], classes: 2)
    #expect(value("mIoU", .mmseg, [none]) == nil)
    #expect(value("iou_score(reduction=\"macro\")", .smp, [none]) == 1)
    #expect(value("iou_score(reduction=\"micro\")", .smp, [none]) == nil)
    #expect(value("MeanIoU()", .monai, [none]) == 0)
    #expect(value("MeanIoU(num_classes=K)", .keras, [none]) == 0)
    #expect(LibraryScores([none]).text.contains("nan"))
  }

  @Test("counts of parts keep what was predicted on ignored pixels")
  func merging() {
    var (first, second) = (ConfusionMatrix(classes: 2), ConfusionMatrix(classes: 2))
    first.add(truth: [255, 0], prediction: [1, 0])
    second.add(truth: [255, 255, 1], prediction: [0, 7, 1])
    first.merge(second)
    #expect(first.predictedOnIgnored == [1, 1, 1])
    #expect(first.ignored == 3)
    // The second class becomes the first, and the first is ignored, with the pixel that was found.
    let regrouped = first.regrouped([nil, 0], classes: 1)
    #expect(regrouped.predictedOnIgnored == [1, 3])
    #expect(regrouped.ignored == 4)
    #expect(regrouped[0, 0] == 1)
  }
}
