// Everything the page says, in every language it speaks; names of things come from the service.

const WORDS = {};

WORDS.en = {
  question: "What is in your photo?",
  ways: "Drop it anywhere on this page, paste it, choose it, or take it now.",
  choose: "Choose photos",
  more: "Add photos",
  take: "Take a photo",
  drop: "Let go, and Shiwu looks",
  known: "It knows {count} things, among them",
  others: "Show others",
  network: "Network",
  heat: "Heat map: where it looked",
  fact: "{model} gets {share} of test photos right at the first guess.",
  answers: "Answers",
  progress: "{done} of {count} photos answered",
  cancelAll: "Cancel all",
  clear: "Clear",
  kept: "Photos are looked at and forgotten. Pictures that are drawn for you are deleted after some minutes.",
  shell: "The same from a terminal",
  docs: "For programs: every address and option",
  copy: "Copy",
  copied: "Copied",
  notCopied: "Select it and copy it yourself: the browser doesn't allow it",

  starting: "The service is getting ready. What you bring meanwhile is looked at as soon as it is.",
  gone: "The service can't be reached just now. Trying again…",
  noPicture: "There is no picture in what came; drop, paste or choose a photo.",

  waiting: "Waiting for its turn…",
  looking: "Looking…",
  later: "The service is busy; trying again in {seconds} s…",
  stopped: "Cancelled",
  cancel: "Cancel",
  remove: "Remove",
  again: "Try again",
  save: "Save with names",
  saving: "Drawing the names…",
  saved: "Saved",
  names: "names",
  programs: "For programs",
  ids: "Show class ids beside the names",
  photo: "Photo {number}",
  camera: "Camera photo {number}",
  pasted: "Pasted photo {number}",
  yours: "Your photo: {name}",

  sentenceGroup: "{group};",
  sentenceUnsure: "Not sure.",
  perhaps: " perhaps {one}",
  perhapsUnsure: " Perhaps {one}",
  or: "{one}, or {other}",
  sure: "{share} sure",
  sureOf: "{share} sure that it is {one}",
  under: "under {share}",
  looksFor: "Where it looked for: {label}",
  seek: "Show where: {label}",
  mapping: "Finding where it looked…",
  noMap: "No heat map: {why}",

  close: "Close",
  shutter: "Take the photo",
  turn: "Other camera",
  cameraApp: "Open the camera app",
  "camera.opening": "Opening the camera… The browser may ask you first.",
  "camera.NotAllowedError": "The browser doesn't allow this page to use the camera. Allow it in the address bar, or choose a photo instead.",
  "camera.NotFoundError": "No camera was found. Choose a photo instead.",
  "camera.NotReadableError": "The camera is used by another program. Close it there, then try again.",
  "camera.insecure": "Browsers give pages the camera only over https. Choose a photo instead.",
  "camera.noCamera": "The camera could not be opened. Choose a photo instead.",

  "error.too_large": "This photo is too large",
  "error.unsupported_image": "This is no picture that can be read",
  "error.broken_image": "This picture is broken",
  "error.too_late": "The answer took too long",
  "error.refused": "The service could not answer",
  "error.offline": "The service can't be reached",
  "error.cut": "The upload was cut off",
  "error.strange": "The reply made no sense",
  "error.unreadable": "This file can't be read",
  "why.offline": "It may have stopped, or the connection is gone.",
  "why.cut": "The service ended the connection. The file may be too large for it.",
  "why.strange": "Something between this page and the service answered (status {status}).",
  "why.unreadable": "It may be a folder, or it was moved since you chose it.",
};

WORDS.zh = {
  question: "照片里是什么？",
  ways: "拖到页面任意位置、粘贴、选择，或者现在就拍一张。",
  choose: "选择照片",
  more: "添加照片",
  take: "拍照",
  drop: "松开鼠标，马上识别",
  known: "它认识 {count} 种事物，例如",
  others: "换一批",
  network: "模型",
  heat: "热力图：它看了哪里",
  fact: "{model} 的首选答案，在测试照片上有 {share} 是对的。",
  answers: "识别结果",
  progress: "已识别 {done} / {count} 张",
  cancelAll: "全部取消",
  clear: "清空",
  kept: "照片看过即忘，不会留存；为你绘制的图片几分钟后就会删除。",
  shell: "在终端里这样用",
  docs: "开发者：全部接口与参数",
  copy: "复制",
  copied: "已复制",
  notCopied: "浏览器不允许自动复制，请选中后手动复制",

  starting: "服务正在启动。现在放进来的照片，就绪后会马上识别。",
  gone: "暂时连不上服务，正在重试……",
  noPicture: "没有找到图片，请拖入、粘贴或选择一张照片。",

  waiting: "排队中……",
  looking: "正在识别……",
  later: "服务繁忙，{seconds} 秒后重试……",
  stopped: "已取消",
  cancel: "取消",
  remove: "移除",
  again: "重试",
  save: "保存带名称的图片",
  saving: "正在绘制名称……",
  saved: "已保存",
  names: "名称",
  programs: "供开发者使用",
  ids: "在名称旁显示类别编号",
  photo: "照片 {number}",
  camera: "拍摄的照片 {number}",
  pasted: "粘贴的照片 {number}",
  yours: "你的照片：{name}",

  sentenceGroup: "{group}，",
  sentenceUnsure: "不太确定。",
  perhaps: "可能是{one}",
  perhapsUnsure: "可能是{one}",
  or: "{one}，或者{other}",
  sure: "有 {share} 把握",
  sureOf: "有 {share} 把握是{one}",
  under: "不到 {share}",
  looksFor: "识别“{label}”时看的位置",
  seek: "看看它在哪里：{label}",
  mapping: "正在找它看的位置……",
  noMap: "没有热力图：{why}",

  close: "关闭",
  shutter: "按下快门",
  turn: "切换摄像头",
  cameraApp: "打开相机应用",
  "camera.opening": "正在打开摄像头……浏览器可能会先征求你的同意。",
  "camera.NotAllowedError": "浏览器没有允许本页使用摄像头。请在地址栏里允许，或者改为选择照片。",
  "camera.NotFoundError": "没有找到摄像头，请改为选择照片。",
  "camera.NotReadableError": "摄像头正被其他程序占用，请先关闭那个程序再试。",
  "camera.insecure": "浏览器只允许 https 页面使用摄像头，请改为选择照片。",
  "camera.noCamera": "摄像头打不开，请改为选择照片。",

  "error.too_large": "这张照片太大了",
  "error.unsupported_image": "这不是能识别的图片",
  "error.broken_image": "这张图片已损坏",
  "error.too_late": "等待答案超时了",
  "error.refused": "服务没能给出答案",
  "error.offline": "连不上服务",
  "error.cut": "上传被中断了",
  "error.strange": "收到了无法理解的回复",
  "error.unreadable": "无法读取这个文件",
  "why.offline": "服务可能已停止，或者网络断开了。",
  "why.cut": "服务断开了连接，文件可能太大了。",
  "why.strange": "答复不是来自服务本身，而是来自中间的某个环节（状态码 {status}）。",
  "why.unreadable": "它可能是文件夹，或者在选择之后被移动了。",
};

const TAGS = { en: "en", zh: "zh-CN" };
const KEY = "shiwu.language";

let now = stored() ?? preferred();

/** The language spoken now: "en" or "zh". */
export const language = () => now;

/** The same as a BCP 47 tag. */
export const tag = () => TAGS[now];

/** Speak another language, and remember it. */
export function speak(chosen) {
  now = chosen;
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // Storage is switched off: it is spoken until the page is left.
  }
}

/** The words for a key, with {values} put in; undefined if there are none. */
export function say(key, values = {}) {
  return WORDS[now][key]?.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Write the words of all elements under `root` that name them. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-say]")) {
    element.textContent = say(element.dataset.say);
  }
  for (const element of root.querySelectorAll("[data-say-label]")) {
    element.setAttribute("aria-label", say(element.dataset.sayLabel));
  }
}

/** 0.59 as "59%"; small shares keep a digit, and nothing is rounded to none or all. */
export function share(probability) {
  const percent = (value, digits) =>
    value.toLocaleString(tag(), {
      style: "percent",
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  if (probability > 0 && probability < 0.001) return say("under", { share: percent(0.001, 1) });
  if (probability < 0.1) return percent(probability, 1);
  return percent(probability < 1 ? Math.min(probability, 0.99) : 1, 0);
}

function stored() {
  try {
    const chosen = localStorage.getItem(KEY);
    return chosen in WORDS ? chosen : null;
  } catch {
    return null;
  }
}

function preferred() {
  const wanted = navigator.languages?.length ? navigator.languages : [navigator.language ?? "en"];
  return wanted.map((one) => one.slice(0, 2).toLowerCase()).find((one) => one in WORDS) ?? "en";
}
