import Configuration

extension DataConfiguration {
  /// What the keys of `data` mean.
  package static let notes = KeyNotes(general.merging(folders) { first, _ in first })

  private static let backgroundText = """
    The class that overlays leave clear and that is not to be found where there are two; the class called \
    background without the key.
    """

  private static let general: [String: KeyNotes.Note] = [
    "layout": .init("How the files lie on the disk.", "folders"),
    "root": .init("The folder of the data set.", "data/camvid"),
    "normalization": .init(
      """
      How levels become numbers: by ImageNet's statistics, those of DenseASPP's code, none (0 \
      to 1), or those of the training images.
      """, "measured",
      "{mean: [0.5, 0.5, 0.5], deviation: [0.25, 0.25, 0.25]}"),
    "normalization.mean": .init(
      "The means of red, green and blue, or of each band, 0 to 1.", "[0.485, 0.456, 0.406]"),
    "normalization.deviation": .init(
      "The standard deviations of red, green and blue, or of each band, 0 to 1.",
      "[0.229, 0.224, 0.225]"),
    "bands": .init(
      """
      The bands that the network sees, from 1, of images of any number of bands, bits and kind; without the \
      key images are pictures in red, green and blue.
      """, "[4, 3, 2]"),
    "range": .init(
      """
      The samples that become 0 and 1, for all bands or each; by default all that 8 or 16 bits hold. What lies \
      outside is clipped. `measured` takes the training images' smallest and largest of each band.
      """, "[0, 10000]", "[[0, 3000], [0, 4000], [0, 10000]]", "measured", "{percentiles: [2, 98]}",
      with: ["bands=[1, 2, 3]"]
    ),
    "range.percentiles": .init(
      "The percentages of the training images' samples, band by band, that lie below 0 and up to 1.",
      "[2, 98]", with: ["bands=[1, 2, 3]"]),
    "shown": .init(
      """
      The bands that pictures show as red, green and blue, or one for grey; the first three of `bands` without \
      the key.
      """, "[4, 3, 2]", with: ["bands=[4, 3, 2]"]),
    "page": .init(
      "The page of TIFFs, or the first index of arrays of four dimensions, from 1.", "2",
      with: ["bands=[1, 2, 3]"]),
    "noData": .init(
      """
      The sample that stands for nothing, beside NaN; without the key the one that a file notes itself. Pixels \
      of which no band is there count nowhere.
      """, "-9999", with: ["bands=[1, 2, 3]"]),
    "imageResizing": .init(
      """
      Whose rule images are resized by, in `train.augmentation`, for `evaluate.imageSize` and `shortSide`, and by `predict`: linear \
      of Pillow, OpenCV or torch, which give other levels; `antialias` of transforms says nothing then.
      """, "opencv"),
    "labelResizing": .init(
      """
      Whose rule labels are resized by, in `train.augmentation` and for `evaluate --label-size`: nearest of Pillow, OpenCV, torch or ONNX, which take other pixels, or that in which the centre lies exactly.
      """, "torch"),
    "windows": .init(
      """
      Images are read by windows of this size, each a sample of its own; only what a window shows is read of \
      TIFF and `.npy` files. The last of a row or column is cut, in training moved inside.
      """, "1024", "1024x512"),
    "train": .init(
      "The split that is trained on; `train+val` stands for two together.", "train", "train+val"),
    "val": .init("The split that is scored.", "val"),
    "test": .init("The split for the end.", "test"),
    "folders/train": .init(
      "The folders that are trained on.", "{images: photos/train, labels: labels/train}"),
    "folders/val": .init(
      "The folders that are scored.", "{images: photos/val, labels: labels/val}"),
    "folders/test": .init("The folders for the end.", "{images: photos/test, labels: labels/test}"),
    "fold": .init(
      """
      The part of the training images that is held out and scored in the place of `val`; the others are trained \
      on. `train --fold` and `evaluate --fold` say the same.
      """, "2/5"),
    "folds": .init(
      "How images are divided for `fold` and `train --folds`: one by one without the key.",
      "{prefix: 8}"),
    "folds.prefix": .init(
      """
      Images whose names begin alike stay together: so many letters, or all before the first of a text, such as \
      the sequence before `_`.
      """, "8", "_"),
    "folds.groups": .init(
      "A text file with an image's name and a word a line; images of one word stay together.",
      "patients.csv"),
    "folds.list": .init(
      "A text file with an image's name and the number of its fold a line.", "folds.csv"),
    "folds.of": .init("The parts of the data that are divided, all together.", "[train, val]"),
    "folds.seed": .init("What the order is drawn from, in which images are dealt.", "1"),
    "limitTrain": .init(
      "The most images that are trained on, evenly spread; all without the key.", "100"),
    "limitVal": .init("The most images that are scored, evenly spread; all without the key.", "50"),
    "cityscapes/classes": .init("The classes: the 19 of the benchmark, or 20.", "20"),
    "merge": .init(
      """
      Classes of one's own: the label names that make each, in order.
      """, "{flat: [road, sidewalk]}"),
    "folders/classes": .init(
      "The names of the classes in order; those of the file in `colors` without the key.",
      "[background, vessel]"),
    "an annotation tool's/classes": .init(
      """
      The names of the classes in the order of their numbers, or the path of a file with a name a line; those \
      of the tool's files without the key.
      """, "[road, car, person]"),
    "an annotation tool's/root": .init(
      "The folder of the export, or its file.", "exports/street"),
    "an annotation tool's/colors": .init(
      "The colours of overlays; those of the tool's files without the key.", "{road: '#804080'}"),
    "an annotation tool's/holdOut": .init(
      "The share of the training images that is scored instead, where the files have no `val`.",
      "0.2"),
    "an annotation tool's/background": .init(backgroundText, "road"),
    "raster": .init(
      """
      How corners become pixels: as pycocotools, Pillow (labelme) or OpenCV does, or even-odd at the middles of \
      pixels; the tool's own way without the key.
      """, "opencv"),
    "images": .init("The folder of images, where they do not lie by the annotations.", "photos"),
    "ignored": .init(
      "The values of label files that count nowhere; 255 without the key, unless it is a class's.",
      "[254, 255]"),
    "values": .init(
      """
      What values of label files mean, a class or `ignored`; for folders 0, 1, 2 … in the order of \
      `classes` without the key.
      """, "{3: ignored}"),
    "folders/values": .init(
      "What each value of a label file means; 0, 1, 2 … in the order of `classes` without the key.",
      "{0: background, 128: vessel}"),
    "colors": .init(
      """
      The colours of coloured labels and of overlays: a mapping of class names (or `ignored`), or a \
      `labelmap.txt` or `label_colors.txt`.
      """, "{background: [0, 0, 0], vessel: '#ff0000'}"),
    "background": .init(backgroundText, "sky"),
    "folders/background": .init(backgroundText, "background"),
    "orientation": .init(
      "Whether photographs are turned as their EXIF says, or read as they are stored.", "stored"),
    "holdOut": .init(
      "The share of the training images that is scored instead, where there is no `val`.", "0.2",
      with: ["train={images: photos, labels: masks}"]),
  ]

  /// The folders of each part.
  private static let folders: [String: KeyNotes.Note] = roles.reduce(into: [:]) { notes, role in
    let key = "folders/\(role)"
    notes["\(key).images"] = .init(
      "The folder of images, or a pattern with one `*` in the files' names.", "photos/\(role)",
      "'eyes/*.jpg'")
    notes["\(key).labels"] = .init(
      """
      The folder of labels of the same names, or a pattern; one without a folder is for labels beside \
      their images.
      """, "labels/\(role)", "'*_mask.png'")
    notes["\(key).imageSuffix"] = .init("What image names have behind the common part.", "_rgb")
    notes["\(key).labelSuffix"] = .init("What label names have behind the common part.", "_mask")
  }

  /// What each layout is, beside the known data sets.
  package static let sentences = [
    "folders":
      """
    Images in one folder, labels of the same names in another; a value that no class has is \
    an error.
    """,
    "cityscapes": "`leftImg8bit` and `gtFine` as they unpack.",
    "an annotation tool's":
      """
    As the tool leaves its files; polygons become pixels by its own rule. What nobody labelled counts nowhere, \
    unless the files have a background.
    """,
    "a known data set": "As it unpacks, or as MMSegmentation's converters lay it out.",
  ]
}
