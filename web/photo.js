// A file becomes what is sent and what is shown.

const LONGEST_PX = 1280;
const QUALITY = 0.9;

/**
 * The photo as it is sent: large ones made smaller here, upright, without metadata; small ones,
 * and those that this browser can't read (the service may), as they came.
 *
 * @returns {Promise<{blob: Blob, shown: Blob|null}>} `shown` is null if the browser can't show it.
 */
export async function prepared(file) {
  const bitmap = await decoded(file);
  if (!bitmap) return { blob: file, shown: null };
  try {
    const scale = LONGEST_PX / Math.max(bitmap.width, bitmap.height);
    const blob = scale < 1 ? await jpeg(bitmap, bitmap.width * scale, bitmap.height * scale) : file;
    return { blob, shown: blob };
  } finally {
    bitmap.close();
  }
}

/** What the camera shows just now, as a JPEG. */
export function frame(video) {
  return jpeg(video, video.videoWidth, video.videoHeight);
}

async function decoded(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return null;
  }
}

function jpeg(source, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width));
  canvas.height = Math.max(1, Math.round(height));
  const brush = canvas.getContext("2d");
  brush.fillStyle = "#fff"; // what is transparent counts as white, as in the service
  brush.fillRect(0, 0, canvas.width, canvas.height);
  brush.imageSmoothingQuality = "high";
  brush.drawImage(source, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    const done = (blob) => (blob ? resolve(blob) : reject(new Error("the canvas gave no JPEG")));
    canvas.toBlob(done, "image/jpeg", QUALITY);
  });
}
