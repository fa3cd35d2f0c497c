import Foundation

/// Files of tools of which the shared data has no exports, as the tools' documentation and sources have them.
enum Samples {
  /// A project of VGG Image Annotator 3 with regions of all kinds.
  static let via3: [String: String] = [
    "project.json": """
    {"project": {"pid": "__VIA_PROJECT_ID__", "rev": "1", "pname": "a", "data_format_version": "3.1.1",
      "vid_list": ["1", "2", "3"]},
     "config": {"file": {"loc_prefix": {"1": "", "2": ""}},
      "ui": {"spatial_region_label_attribute_id": "2"}},
     "attribute": {
      "1": {"aname": "quality", "anchor_id": "FILE1_Z0_XY0", "type": 1, "desc": "", "options": {},
       "default_option_id": ""},
      "2": {"aname": "what", "anchor_id": "FILE1_Z0_XY1", "type": 4, "desc": "",
       "options": {"0": "road", "1": "car", "2": "sky"}, "default_option_id": "0"}},
     "file": {
      "1": {"fid": "1", "fname": "a.png", "type": 2, "loc": 1, "src": "a.png"},
      "2": {"fid": "2", "fname": "b.png", "type": 2, "loc": 2, "src": "images/b.png"},
      "3": {"fid": "3", "fname": "clip.mp4", "type": 4, "loc": 1, "src": "clip.mp4"}},
     "metadata": {
      "1_a": {"vid": "1", "flg": 0, "z": [], "xy": [7, 0, 0, 10, 0, 10, 10, 0, 10], "av": {"2": "0"}},
      "1_b": {"vid": "1", "flg": 0, "z": [], "xy": [2, 20, 5, 4, 3], "av": {"2": "1"}},
      "1_c": {"vid": "1", "flg": 0, "z": [], "xy": [], "av": {"1": "good"}},
      "1_d": {"vid": "1", "flg": 0, "z": [], "xy": [1, 3, 3], "av": {"2": "1"}},
      "2_a": {"vid": "2", "flg": 0, "z": [], "xy": [3, 10, 9, 4], "av": {"2": "2"}},
      "2_b": {"vid": "2", "flg": 0, "z": [], "xy": [4, 22, 9, 4, 6], "av": {}},
      "3_a": {"vid": "3", "flg": 0, "z": [1.5, 3], "xy": [], "av": {}}},
     "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": [2]}, "3": {"fid_list": ["3"]}}}
    """
  ]

  /// The head of CVAT's XML for video, of frames from 0 to `stop`.
  static func cvat(_ tracks: String, stop: Int = 8, filter: String = "") -> String {
    """
    <?xml version="1.0" encoding="utf-8"?>
    <annotations>
      <version>1.1</version>
      <meta><task><id>1</id><name>a</name><size>\(stop + 1)</size><mode>interpolation</mode>
        <start_frame>0</start_frame><stop_frame>\(stop)</stop_frame><frame_filter>\(filter)</frame_filter>
        <labels><label><name>road</name><color>#804080</color><attributes></attributes></label>
          <label><name>car</name><color>#0000ff</color><attributes></attributes></label></labels>
        <original_size><width>80</width><height>70</height></original_size><source>clip.mp4</source>
      </task></meta>
      \(tracks)
    </annotations>
    """
  }

  /// A shape of a track.
  static func shape(_ kind: String, _ frame: Int, _ place: String, _ more: String = "") -> String {
    "<\(kind) frame=\"\(frame)\" keyframe=\"1\" outside=\"0\" occluded=\"0\" \(place) z_order=\"0\" \(more)></\(kind)>"
      .replacing(more.contains("outside") ? "outside=\"0\" " : "\u{0}", with: "")
  }

  /// A box of 10 by 10 pixels that moves from (0, 0) to (40, 20), is hidden at frame 5 and comes back at 7.
  static let boxes =
    "<track id=\"0\" label=\"car\" source=\"manual\">"
    + shape("box", 0, "xtl=\"0.00\" ytl=\"0.00\" xbr=\"10.00\" ybr=\"10.00\"")
    + shape("box", 4, "xtl=\"40.00\" ytl=\"20.00\" xbr=\"50.00\" ybr=\"30.00\"", "rotation=\"0.0\"")
    + shape("box", 5, "xtl=\"0.00\" ytl=\"0.00\" xbr=\"10.00\" ybr=\"10.00\"", "outside=\"1\"")
    + shape("box", 7, "xtl=\"60.00\" ytl=\"50.00\" xbr=\"70.00\" ybr=\"60.00\"")
    + "</track>"

  /// CVAT's XML for video with tracks of all kinds.
  static let video: [String: String] = [
    "annotations.xml": cvat(
      boxes + "<track id=\"1\" label=\"road\" source=\"manual\">"
        + shape("polygon", 0, "points=\"10.00,10.00;50.00,10.00;50.00,40.00;10.00,40.00\"")
        + shape(
          "polygon", 4, "points=\"20.00,12.00;70.00,15.00;66.00,52.00;24.00,48.00;15.00,30.00\"")
        + "</track><track id=\"2\" label=\"road\" source=\"manual\">"
        + shape("ellipse", 2, "cx=\"30.00\" cy=\"30.00\" rx=\"8.00\" ry=\"4.00\"")
        + shape(
          "ellipse", 6, "cx=\"34.00\" cy=\"38.00\" rx=\"4.00\" ry=\"8.00\"", "rotation=\"90\"")
        + "</track><track id=\"3\" label=\"car\" source=\"file\">"
        + shape("mask", 1, "rle=\"0, 6\" left=\"2\" top=\"3\" width=\"3\" height=\"2\"")
        + "</track>")
  ]
}
