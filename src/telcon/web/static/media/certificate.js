/**
 * This page's DTLS certificate, made once. Its hash goes into ring, answer and join, so that both
 * logs vouch for the device that speaks.
 */
/** @type {Promise<{certificate: RTCCertificate, fingerprint: string}>|undefined} */
let made;

/** @returns {Promise<{certificate: RTCCertificate, fingerprint: string}>} fingerprint is SHA-256 in hex */
export default function ownCertificate() {
  made ??= make();
  return made;
}

async function make() {
  const certificate = await RTCPeerConnection.generateCertificate(
    /** @type {any} */ ({ name: "ECDSA", namedCurve: "P-256" }));
  const value = certificate.getFingerprints?.().find((print) => print.algorithm === "sha-256")?.value
    ?? await fingerprintFromOffer(certificate);
  return { certificate, fingerprint: value.replaceAll(":", "").toLowerCase() };
}

/** For browsers that do not tell: every offer states it. */
async function fingerprintFromOffer(certificate) {
  const connection = new RTCPeerConnection({ certificates: [certificate] });
  connection.createDataChannel("");
  const offer = await connection.createOffer();
  connection.close();
  return offer.sdp.match(/^a=fingerprint:sha-256 (\S+)/imu)[1];
}
