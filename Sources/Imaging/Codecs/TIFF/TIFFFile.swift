import CTIFF
import Files
import Foundation

/// A TIFF that libtiff has opened, of which one page is read: the first, unless another is asked for.
final class TIFFFile {
  let file: String
  private let bytes: [UInt8]
  /// The file that is read from where its bytes are not in memory.
  private let descriptor: Int32?
  private let length: Int
  private var position = 0
  private(set) var handle: OpaquePointer?
  /// What libtiff said last about why something cannot be read.
  var reason: String?
  private var warnings: [String] = []

  /// Opens the bytes of a file.
  ///
  /// - Throws: ``ImageError`` if there is no directory of tags that libtiff understands.
  convenience init(_ bytes: [UInt8], _ file: String) throws {
    try self.init(bytes, nil, bytes.count, file)
  }

  /// Opens a file of which only what is asked for is read.
  ///
  /// - Throws: ``ImageError`` as ``init(_:_:)`` does, and for a file that cannot be opened.
  convenience init(contentsOf path: String) throws {
    let descriptor = FileSystem.open(path, O_RDONLY)
    guard descriptor >= 0 else {
      throw ImageError.unreadable(file: path, reason: FileSystem.reason(errno))
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw ImageError.unreadable(file: path, reason: "it is no file")
    }
    try self.init([], descriptor, Int(status.st_size), path)
  }

  private init(_ bytes: [UInt8], _ descriptor: Int32?, _ length: Int, _ file: String) throws {
    _ = Self.listens
    (self.bytes, self.descriptor, self.length, self.file) = (bytes, descriptor, length, file)
    handle = TIFFClientOpen(
      "image", "rm", Unmanaged.passUnretained(self).toOpaque(),
      { tmsize_t(TIFFFile.of($0)?.read($1, Int($2)) ?? 0) }, { _, _, _ in 0 },
      { UInt64(TIFFFile.of($0)?.seek(Int64(truncatingIfNeeded: $1), $2) ?? 0) }, { _ in 0 },
      { UInt64(TIFFFile.of($0)?.length ?? 0) }, { _, _, _ in 0 }, { _, _, _ in })
    guard handle != nil else {
      if let reason, reason.contains("Cannot handle different") {
        throw ImageError.unsupported(
          file: file, found: "a TIFF whose bands differ in kind, which is not read (\(reason))")
      }
      throw damaged(reason ?? "its header is not valid")
    }
  }

  deinit {
    if let handle { TIFFClose(handle) }
    if let descriptor { close(descriptor) }
  }

  /// The number of pages.
  var pages: Int { Int(TIFFNumberOfDirectories(handle)) }

  /// Goes to a page, counted from 1.
  ///
  /// - Throws: ``ImageError`` if there is no such page.
  func select(page: Int) throws {
    guard page > 1 else { return }
    guard let index = tdir_t(exactly: page - 1), TIFFSetDirectory(handle, index) == 1 else {
      throw ImageError.unsupported(
        file: file, found: "a TIFF of \(pages) pages, expected a page \(page)")
    }
  }

  /// The error for pixels that cannot be had.
  func damaged(_ reason: String) -> ImageError {
    .damaged(file: file, format: "TIFF", reason: reason)
  }

  /// Sends what libtiff warned of; tags that it does not know are those of other programs.
  func postNotes() {
    for text in warnings where !text.hasPrefix("Unknown field with tag") {
      ImageNotes.post("libtiff warns: \(text)", file)
    }
    // Reduced copies of the picture, as cloud-optimized files have, are no pages of their own.
    if let handle, TIFFLastDirectory(handle) == 0, TIFFReadDirectory(handle) == 1,
      (optional(TIFFTAG_SUBFILETYPE) ?? 0) & 5 == 0
    {
      ImageNotes.post("this TIFF has several pages, of which the first is read", file)
    }
  }

  private static func of(_ client: UnsafeMutableRawPointer?) -> TIFFFile? {
    client.map { Unmanaged<TIFFFile>.fromOpaque($0).takeUnretainedValue() }
  }

  private func read(_ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    let got = max(0, min(count, length - position))
    guard got > 0, let buffer else { return 0 }
    if let descriptor {
      var done = 0
      while done < got {
        let part = pread(descriptor, buffer + done, got - done, off_t(position + done))
        if part < 0 && errno == EINTR { continue }
        guard part > 0 else { break }
        done += part
      }
      position += done
      return done
    }
    bytes.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress {
        buffer.copyMemory(from: base + position, byteCount: got)
      }
    }
    position += got
    return got
  }

  private func seek(_ offset: Int64, _ whence: Int32) -> Int {
    let base = whence == SEEK_CUR ? position : whence == SEEK_END ? length : 0
    let target = Int64(base).addingReportingOverflow(offset)
    position = target.overflow ? 0 : Int(max(0, min(Int64(length), target.partialValue)))
    return position
  }

  /// libtiff's messages go to the file that they are about.
  private static let listens: Bool = {
    TIFFSetErrorHandler(nil)
    TIFFSetWarningHandler(nil)
    TIFFSetErrorHandlerExt { client, _, format, arguments in
      TIFFFile.of(client)?.reason = TIFFFile.text(format, arguments)
    }
    TIFFSetWarningHandlerExt { client, _, format, arguments in
      guard let open = TIFFFile.of(client), open.warnings.count < 8,
        let text = TIFFFile.text(format, arguments), !open.warnings.contains(text)
      else { return }
      open.warnings.append(text)
    }
    return true
  }()

  private static func text(
    _ format: UnsafePointer<CChar>?, _ arguments: CVaListPointer?
  ) -> String? {
    guard let format, let arguments else { return nil }
    var buffer = [CChar](repeating: 0, count: 400)
    vsnprintf(&buffer, buffer.count, format, arguments)
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

extension TIFFFile {
  /// A tag's number, which libtiff knows a default for.
  func number(_ tag: Int32) -> Int {
    var value: UInt32 = 0
    withUnsafeMutablePointer(to: &value) { pointer in
      _ = withVaList([pointer]) { TIFFVGetFieldDefaulted(handle, UInt32(tag), $0) }
    }
    return Int(value)
  }

  /// A tag's number if it is in the file.
  func optional(_ tag: Int32) -> Int? {
    var value: UInt32 = 0
    let isThere = withUnsafeMutablePointer(to: &value) { pointer in
      withVaList([pointer]) { TIFFVGetField(handle, UInt32(tag), $0) } == 1
    }
    return isThere ? Int(value) : nil
  }

  /// What each band past those of the colours is: 0 anything, 1 and 2 opacity.
  var extraBands: [Int] {
    var count: UInt16 = 0
    var kinds: UnsafePointer<UInt16>?
    let isThere = withUnsafeMutablePointer(to: &count) { count in
      withUnsafeMutablePointer(to: &kinds) { kinds in
        withVaList([count, kinds]) { TIFFVGetField(handle, UInt32(TIFFTAG_EXTRASAMPLES), $0) } == 1
      }
    }
    guard isThere, let kinds else { return [] }
    return (0..<Int(count)).map { Int(kinds[$0]) }
  }

  /// The colours of the indices; those of 8 bits are taken for such, as libtiff does.
  func palette(bits: Int) -> [Color] {
    var parts: [UnsafePointer<UInt16>?] = [nil, nil, nil]
    let isThere = parts.withUnsafeMutableBufferPointer { parts in
      guard let start = parts.baseAddress else { return false }
      return withVaList([start, start + 1, start + 2]) {
        TIFFVGetField(handle, UInt32(TIFFTAG_COLORMAP), $0)
      } == 1
    }
    guard isThere, let red = parts[0], let green = parts[1], let blue = parts[2] else { return [] }
    let count = 1 << bits
    let isNarrow = (0..<count).allSatisfy { max(red[$0], green[$0], blue[$0]) < 256 }
    func part(_ value: UInt16) -> UInt8 { UInt8(truncatingIfNeeded: isNarrow ? value : value >> 8) }
    return (0..<count).map { Color(part(red[$0]), part(green[$0]), part(blue[$0])) }
  }

  /// The value that GDAL notes for pixels without data.
  var noData: Double? {
    var text: UnsafePointer<CChar>?
    guard let field = TIFFFindField(handle, 42_113, TIFF_NOTYPE) else { return nil }
    // GDAL's tag is a text that libtiff found in the file, with its length before it.
    var count: UInt32 = 0
    let isThere = withUnsafeMutablePointer(to: &text) { text in
      withUnsafeMutablePointer(to: &count) { count in
        withVaList(TIFFFieldPassCount(field) != 0 ? [count, text] : [text]) {
          TIFFVGetField(handle, 42_113, $0)
        } == 1
      }
    }
    guard isThere, let text else { return nil }
    return Double(String(cString: text).trimmingCharacters(in: .whitespaces))
  }
}
