/// The formats of annotation tools.
public enum AnnotationFormat: String, Sendable, CaseIterable {
  /// COCO's JSON of polygons and runs.
  case coco
  /// COCO's panoptic JSON with PNG files of segment ids.
  case cocoPanoptic = "coco-panoptic"
  /// Ultralytics' text files of polygons.
  case yolo
  /// labelme's JSON beside each image.
  case labelme
  /// CVAT's XML "for images 1.1".
  case cvat
  /// Pascal VOC's folders: indexed PNG files, or coloured ones with a `labelmap.txt` as CVAT's
  /// "Segmentation mask" and datumaro write them.
  case voc
  /// datumaro's CamVid: coloured PNG files with a `label_colors.txt`.
  case datumaroCamVid = "datumaro-camvid"
  /// datumaro's Cityscapes: `gtFine`, with a `label_colors.txt`.
  case datumaroCityscapes = "datumaro-cityscapes"
  /// Label Studio's JSON and JSON_MIN.
  case labelStudio = "label-studio"
  /// Label Studio's PNG files of brushes.
  case labelStudioPNG = "label-studio-png"
  /// Supervisely's JSON for each image with a `meta.json`.
  case supervisely
  /// VGG Image Annotator's JSON.
  case via
  /// Roboflow's masks with `_classes.csv`.
  case roboflow
  /// ADE20K's full encoding.
  case ade20kFull = "ade20k-full"
  /// Mapillary Vistas.
  case mapillary
}

extension AnnotationFormat {
  /// What it is, in words.
  public var title: String {
    switch self {
    case .coco: "COCO's JSON of polygons and runs"
    case .cocoPanoptic: "COCO's panoptic JSON and PNG files"
    case .yolo: "Ultralytics' text files of polygons"
    case .labelme: "labelme's JSON files"
    case .cvat: "CVAT's XML for images"
    case .voc: "Pascal VOC's folders, CVAT's \"Segmentation mask\""
    case .datumaroCamVid: "datumaro's CamVid"
    case .datumaroCityscapes: "datumaro's Cityscapes"
    case .labelStudio: "Label Studio's JSON and JSON_MIN"
    case .labelStudioPNG: "Label Studio's PNG files of brushes, with the JSON"
    case .supervisely: "a project of Supervisely"
    case .via: "VGG Image Annotator's JSON"
    case .roboflow: "Roboflow's masks with `_classes.csv`"
    case .ade20kFull: "ADE20K's full encoding"
    case .mapillary: "Mapillary Vistas"
    }
  }
}
