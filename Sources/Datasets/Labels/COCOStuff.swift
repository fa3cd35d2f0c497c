import Imaging

/// COCO-Stuff's 182 ids: 91 things, of which COCO never labelled 11, and 91 kinds of stuff.
///
/// Caesar et al., "COCO-Stuff", CVPR 2018. In the files of the 164k release a value is the id less
/// one, and 255 is unlabelled; those of the 10k release hold the ids, and 0 is unlabelled
/// (github.com/nightrome/cocostuff, README, "Caffe-compatible stuff-thing maps" and "Labels").
public enum COCOStuff {
  /// The name of each id from 1 to 182, in order.
  public static let names = [
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "street sign", "stop sign", "parking meter", "bench",
    "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "hat",
    "backpack", "umbrella", "shoe", "eye glasses", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard",
    "surfboard", "tennis racket", "bottle", "plate", "wine glass", "cup", "fork", "knife",
    "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog",
    "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "mirror", "dining table",
    "window", "desk", "toilet", "door", "tv", "laptop", "mouse", "remote", "keyboard",
    "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "blender", "book",
    "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush", "hair brush",
    "banner", "blanket", "branch", "bridge", "building-other", "bush", "cabinet", "cage",
    "cardboard", "carpet", "ceiling-other", "ceiling-tile", "cloth", "clothes", "clouds",
    "counter", "cupboard", "curtain", "desk-stuff", "dirt", "door-stuff", "fence",
    "floor-marble", "floor-other", "floor-stone", "floor-tile", "floor-wood", "flower", "fog",
    "food-other", "fruit", "furniture-other", "grass", "gravel", "ground-other", "hill", "house",
    "leaves", "light", "mat", "metal", "mirror-stuff", "moss", "mountain", "mud", "napkin",
    "net", "paper", "pavement", "pillow", "plant-other", "plastic", "platform", "playingfield",
    "railing", "railroad", "river", "road", "rock", "roof", "rug", "salad", "sand", "sea",
    "shelf", "sky-other", "skyscraper", "snow", "solid-other", "stairs", "stone", "straw",
    "structural-other", "table", "tent", "textile-other", "towel", "tree", "vegetable",
    "wall-brick", "wall-concrete", "wall-other", "wall-panel", "wall-stone", "wall-tile",
    "wall-wood", "water-other", "waterdrops", "window-blind", "window-other", "wood",
  ]

  /// The ids that no pixel has: things that COCO planned and left out.
  public static let unused: Set<Int> = [12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91]

  /// The 171 classes that occur, for files of the 164k release.
  ///
  /// The values of unused ids are not listed: a file that holds one is of another convention.
  public static let classes171 = map("COCO-Stuff, 171 classes", allIds: false, firstValue: 0)

  /// All 182 ids as classes, for files of the 164k release; 11 of them never occur.
  public static let classes182 = map("COCO-Stuff, 182 ids", allIds: true, firstValue: 0)

  /// The 171 classes that occur, for files of the 10k release.
  public static let classes171From1 = map(
    "COCO-Stuff 10k, 171 classes", allIds: false, firstValue: 1)

  /// The 171 classes in files that MMSegmentation's `coco_stuff10k.py` wrote: 1 to 171 without gaps,
  /// and 0 is unlabelled.
  static let classes171Packed = LabelMap(
    unchecked: "COCO-Stuff 10k, 171 classes without gaps", classes: classes171.classes,
    rows: [LabelMap.Row(value: 0, index: nil, label: "unlabelled")]
      + classes171.classes.enumerated().map { index, entry in
        LabelMap.Row(value: UInt16(index + 1), index: index, label: entry.name)
      })

  private static func map(_ name: String, allIds: Bool, firstValue: Int) -> LabelMap {
    let ids = (1...names.count).filter { allIds || !unused.contains($0) }
    let colors = LabelMap.palette(count: names.count + 1)
    let unlabelled = LabelMap.Row(
      value: firstValue == 0 ? 255 : 0, index: nil, label: "unlabelled")
    return LabelMap(
      unchecked: name, classes: ids.map { LabelMap.Class(names[$0 - 1], colors[$0]) },
      rows: ids.enumerated().map { index, id in
        LabelMap.Row(value: UInt16(id - 1 + firstValue), index: index, label: names[id - 1])
      } + [unlabelled])
  }
}
