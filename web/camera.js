// The camera's dialog: a live picture, a shutter, the other camera.

import { frame } from "./photo.js";
import { say } from "./words.js";

const $ = (id) => document.getElementById(id);
const dialog = $("camera");
const video = $("video");

let stream = null;
let cameras = [];
let opening = 0; // a dialog that was closed meanwhile must not keep the camera

/** Whether this page may use the camera at all; browsers want https, or this very machine. */
export const isAllowed = () => Boolean(navigator.mediaDevices?.getUserMedia);

/** Make the dialog ready; `onPhoto` gets each JPEG, `onApp` opens the phone's own camera app. */
export function set(onPhoto, onApp) {
  $("camera-close").addEventListener("click", () => dialog.close());
  $("camera-turn").addEventListener("click", turn);
  $("camera-app").addEventListener("click", () => {
    dialog.close();
    onApp();
  });
  $("shutter").addEventListener("click", async () => {
    const photo = await frame(video);
    dialog.close();
    onPhoto(photo);
  });
  dialog.addEventListener("close", stop);
  document.addEventListener("visibilitychange", () => document.hidden && dialog.close());
}

/** Show the dialog, and what the camera sees. */
export function open() {
  dialog.showModal();
  $("camera-app").hidden = !matchMedia("(pointer: coarse)").matches;
  return isAllowed() ? start({ facingMode: "environment" }) : tell("insecure");
}

async function start(which) {
  const mine = ++opening;
  tell("opening");
  try {
    const opened = await navigator.mediaDevices.getUserMedia({
      video: { ...which, width: { ideal: 1280 }, height: { ideal: 960 } },
    });
    if (mine !== opening) return release(opened);
    await show(opened);
  } catch (error) {
    if (mine === opening) tell(say(`camera.${error.name}`) ? error.name : "noCamera");
  }
}

async function show(opened) {
  stream = opened;
  video.srcObject = opened;
  const { facingMode } = opened.getVideoTracks()[0].getSettings();
  video.classList.toggle("mirrored", facingMode === "user");
  await video.play();
  tell(null);
  $("shutter").disabled = false;
  $("shutter").focus();
  const devices = await navigator.mediaDevices.enumerateDevices();
  cameras = devices.filter(({ kind }) => kind === "videoinput");
  $("camera-turn").hidden = cameras.length < 2;
}

function turn() {
  const current = stream?.getVideoTracks()[0].getSettings().deviceId;
  const next = (cameras.findIndex(({ deviceId }) => deviceId === current) + 1) % cameras.length;
  const { deviceId } = cameras[next];
  stop();
  return start({ deviceId: { exact: deviceId } });
}

function stop() {
  opening += 1;
  $("shutter").disabled = true;
  video.srcObject = null;
  release(stream);
  stream = null;
}

function release(opened) {
  for (const track of opened?.getTracks() ?? []) track.stop();
}

function tell(key) {
  $("camera-says").textContent = key ? say(`camera.${key}`) : "";
}
