// Words for the codes with which the server refuses a request or ends the link.

/** @type {Record<string, { en: string, zh: string }>} */
export const CAUSES = {
  "cause.room-full": { en: "This room is full. Ask somebody inside to leave, or choose another room.", zh: "房间已满。请让里面的人先离开，或换一个房间。" },
  "cause.room-locked": { en: "This room is locked. Ask somebody inside to have it opened.", zh: "房间已锁定。请让里面的人联系管理员解锁。" },
  "cause.wrong-password": { en: "That is not the password of this room.", zh: "房间密码不正确。" },
  "cause.bad-room-id": { en: "This is not a valid room name. It may have up to 128 characters.", zh: "房间名无效，最多 128 个字符。" },
  "cause.bad-message": { en: "The server did not understand this page. Reload it and try again.", zh: "服务器无法理解此页面的请求。请刷新后重试。" },
  "cause.unknown-type": { en: "The server is older than this page and cannot do that.", zh: "服务器版本较旧，不支持此操作。" },
  "cause.unavailable": { en: "The server takes no more rooms at the moment. Try again later.", zh: "服务器暂时无法接受更多房间，请稍后再试。" },
  "cause.forbidden": { en: "You are not allowed to do that in this room.", zh: "你无权在此房间执行该操作。" },
  "cause.rate-limited": { en: "That was too much at once. Wait a moment and try again.", zh: "操作过于频繁，请稍后再试。" },
  "cause.message-too-large": { en: "A message was too long for the server.", zh: "消息过长，服务器无法接受。" },
  "cause.session-expired": { en: "Your access has expired. Ask for a new link.", zh: "访问已过期，请索取新的链接。" },
  "cause.going-away": { en: "The server is restarting.", zh: "服务器正在重启。" },
  "cause.lost": { en: "The connection to the server was lost.", zh: "与服务器的连接已断开。" },
  "cause.protocol-error": { en: "The server did not understand this page.", zh: "服务器无法理解此页面。" },
  "cause.server-fault": { en: "The server ran into a fault.", zh: "服务器发生故障。" },
  "cause.timeout": { en: "The server lost sight of this page.", zh: "服务器与此页面失去联系。" },
  "cause.slow-consumer": { en: "This page could not keep up with the server.", zh: "此页面处理速度跟不上服务器。" },
  "cause.replaced": { en: "You joined from another page or device, so this one was closed.", zh: "你已在其他页面或设备加入，此处已关闭。" },
  "cause.too-many-messages": { en: "This page sent too much at once and was disconnected.", zh: "此页面发送消息过多，已被断开。" },
  "cause.removed": { en: "An administrator removed you from the room.", zh: "管理员已将你移出房间。" },
  "cause.room-closed": { en: "An administrator closed the room.", zh: "管理员已关闭房间。" },
  "cause.not-authorised": { en: "You need permission to enter. Ask for a link with access.", zh: "你没有进入权限，请索取带授权的链接。" },
  "cause.ended": { en: "The server ended the connection.", zh: "服务器已结束连接。" },
  "cause.unknown": { en: "The server refused ({code}).", zh: "服务器拒绝了请求（{code}）。" },
};
