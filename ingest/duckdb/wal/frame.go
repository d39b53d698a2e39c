package wal

import (
	"encoding/binary"
	"hash/crc32"
)

// A file is a header and frames:
//
//	header: "fwlog" 0 0 1, the file's number (8 bytes)
//	frame:  0xF7 0xA3 'f' 'w', length of the content (4 bytes), CRC-32C of the
//	        length and the content (4 bytes), content
//
// Numbers are little-endian.
const (
	headerSize  = 16
	frameHeader = 12
)

var (
	magic      = [8]byte{'f', 'w', 'l', 'o', 'g', 0, 0, 1}
	frameMagic = [4]byte{0xF7, 0xA3, 'f', 'w'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

func header(seq uint64) []byte {
	return binary.LittleEndian.AppendUint64(magic[:], seq)
}

func appendFrame(dst, content []byte) []byte {
	var length [4]byte
	binary.LittleEndian.PutUint32(length[:], uint32(len(content)))
	dst = append(dst, frameMagic[:]...)
	dst = append(dst, length[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, checksum(length, content))
	return append(dst, content...)
}

func checksum(length [4]byte, content []byte) uint32 {
	return crc32.Update(crc32.Checksum(length[:], castagnoli), castagnoli, content)
}

// frameLength reads the length out of a frame's header; false where it is none.
func frameLength(head []byte) (n int64, ok bool) {
	if len(head) < frameHeader || [4]byte(head[:4]) != frameMagic {
		return 0, false
	}
	n = int64(binary.LittleEndian.Uint32(head[4:8]))
	return n, 0 < n && n <= MaxFrame
}

// firstFrame returns the content of the frame that data begins with, and
// whether there is a whole and valid one.
func firstFrame(data []byte) (content []byte, ok bool) {
	n, ok := frameLength(data)
	if !ok || n > int64(len(data)-frameHeader) {
		return nil, false
	}
	content = data[frameHeader : frameHeader+n]
	return content, checksum([4]byte(data[4:8]), content) == binary.LittleEndian.Uint32(data[8:12])
}
