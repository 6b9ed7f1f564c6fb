package pages

import (
	"fmt"
	"strings"

	"github.com/skip2/go-qrcode"
)

// qr is a QR code as it is drawn: a square of fields, of which those on the path are dark.
type qr struct {
	Size int    // of the square, with its quiet zone
	Path string // of SVG: each run of dark fields is one rectangle
}

// draw makes the QR code of a text.
func draw(text string) (qr, error) {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return qr{}, fmt.Errorf("draw a QR code: %w", err)
	}
	rows := code.Bitmap()
	var path strings.Builder
	for y, row := range rows {
		for x := 0; x < len(row); x++ {
			from := x
			for x < len(row) && row[x] {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
			}
		}
	}
	return qr{len(rows), path.String()}, nil
}
