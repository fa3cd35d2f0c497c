import CProj
import CTIFF
import CWebP

/// The libraries that decode and encode.
public enum Codecs {
  /// Each format's library and its version, and those for label files and drawings.
  public static var all: [(name: String, version: String)] {
    let webp = WebPGetDecoderVersion()
    let tiff = String(cString: TIFFGetVersion()).split(separator: "\n").first.map(String.init) ?? ""
    return [
      ("PNG", "libspng \(PNG.version)"), ("JPEG", "libjpeg-turbo"),
      ("labels", "libdeflate \(PNG.inflaterVersion)"), ("drawing", "Cairo \(Canvas.library)"),
      ("places on earth", "PROJ \(PROJ_VERSION_MAJOR).\(PROJ_VERSION_MINOR).\(PROJ_VERSION_PATCH)"),
      ("TIFF", tiff), ("WebP", "libwebp \(webp >> 16).\(webp >> 8 & 255).\(webp & 255)"),
    ]
  }
}
