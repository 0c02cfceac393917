/** 8-bit RGB, row by row from the top left: `data[(y * width + x) * 3 + channel]`. */
export interface Picture {
  data: Uint8Array;
  width: number;
  height: number;
}

/** A region of a picture in pixels. */
export interface Rectangle {
  left: number;
  top: number;
  width: number;
  height: number;
}
