// SPDX-License-Identifier: Apache-2.0
//! A volume that is attached to this host, opened so that nobody can write to it.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::ioctl;

/// An open device or image.
#[derive(Debug)]
pub struct Device {
    /// Open for reading only.
    pub file: File,
    /// Its length in bytes.
    pub len: u64,
    /// Its logical sectors' size in bytes; absent for an image.
    pub sector: Option<u32>,
    /// Its device number, `major:minor` as sysfs writes it; absent for an image.
    pub number: Option<String>,
}

/// What an NVMe controller says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// The PCI vendor; Amazon's is 0x1d0f.
    pub vendor: u16,
    /// The serial number without the spaces around it; on EC2 the volume's id without its dash.
    pub serial: String,
    /// The model; `Amazon Elastic Block Store` for a volume of EBS.
    pub model: String,
    /// The name that the volume was attached by, with or without `/dev/`; empty where the vendor says nothing.
    pub name: String,
}

/// Opens a block device, after it was made read-only, or an image.
///
/// # Errors
/// What the system answers; `PermissionDenied` if a device does not become read-only; `InvalidInput` if it is neither.
pub fn open(path: &Path) -> io::Result<Device> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(Device { file, len: metadata.len(), sector: None, number: None });
    }
    if !kind.is_block_device() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a block device nor a file"));
    }
    ioctl::set_read_only(&file)?;
    if !ioctl::is_read_only(&file)? {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the device does not become read-only"));
    }
    let number = metadata.rdev();
    let number = format!("{}:{}", nix::sys::stat::major(number), nix::sys::stat::minor(number));
    let sector = rustix::fs::ioctl_blksszget(&file)?;
    let len = file.seek(SeekFrom::End(0))?;
    Ok(Device { file, len, sector: Some(sector), number: Some(number) })
}

/// Asks the NVMe controller behind an open device what it is.
///
/// # Errors
/// What the system answers, as for every device that is no NVMe one; `InvalidData` if the answer is none.
pub fn identify(device: &File) -> io::Result<Controller> {
    let page = ioctl::identify(device)?;
    controller(page.as_slice()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Reads an Identify Controller data structure; `None` if it is too short, or a text in it is none.
///
/// Shape: vendor 0..2, serial number 4..24, model 24..64, vendor's own 3072..4096, of which Amazon uses 32 bytes.
/// Source: NVM Express Base Specification, "Identify Controller data structure"; for Amazon's bytes the structure of
/// `ebsnvme-id` in amazon-ec2-utils.
pub fn controller(page: &[u8]) -> Option<Controller> {
    let vendor = page.get(..2)?;
    Some(Controller {
        vendor: u16::from_le_bytes(vendor.try_into().ok()?),
        serial: text(page.get(4..24)?)?,
        model: text(page.get(24..64)?)?,
        name: text(page.get(3072..3104)?)?,
    })
}

/// Printable ASCII without the spaces and zeros around it.
fn text(bytes: &[u8]) -> Option<String> {
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let start = bytes.iter().position(|byte| !is_padding(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_padding(byte)).map_or(start, |last| last + 1);
    let bytes = bytes.get(start..end)?;
    let printable = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    printable.then(|| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page as the specification lays it out and EC2 fills it: strings are padded with spaces, not ended by zeros.
    fn page() -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[..4].copy_from_slice(&[0x0f, 0x1d, 0x0f, 0x1d]);
        page[4..24].copy_from_slice(b"vol0123456789abcdef0");
        page[24..64].copy_from_slice(b"Amazon Elastic Block Store              ");
        page[64..72].copy_from_slice(b"1.0     ");
        page[3072..3104].copy_from_slice(b"/dev/sdf                        ");
        page
    }

    #[test]
    fn a_controller_says_its_serial_model_and_the_name_it_was_attached_by() {
        let found = controller(&page()).unwrap();
        let text = |text: &str| text.to_owned();
        let wanted = Controller {
            vendor: 0x1d0f,
            serial: text("vol0123456789abcdef0"),
            model: text("Amazon Elastic Block Store"),
            name: text("/dev/sdf"),
        };
        assert_eq!(found, wanted);
        let mut other = page();
        other[4..24].copy_from_slice(b"S4EVNF0M    \0\0\0\0\0\0\0\0");
        other[3072..].fill(0);
        let found = controller(&other).unwrap();
        assert_eq!((found.serial.as_str(), found.name.as_str()), ("S4EVNF0M", ""));
    }

    #[test]
    fn a_page_that_is_short_or_holds_no_text_is_none() {
        assert_eq!(controller(&page()[..3103]), None);
        assert_eq!(controller(&[]), None);
        let mut control = page();
        control[10] = b'\n';
        assert_eq!(controller(&control), None);
    }

    #[test]
    fn an_image_is_opened_with_its_length_and_a_pipe_or_folder_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        File::create(&path).unwrap().set_len(12_345).unwrap();
        let device = open(&path).unwrap();
        assert_eq!((device.len, device.sector, device.number), (12_345, None, None));
        assert_eq!(open(folder.path()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(open(Path::new("/dev/null")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
